#include "fetch/http.h"

#include <curl/curl.h>

#include <exception>
#include <memory>
#include <utility>

namespace fude {
namespace {

constexpr long kSecondsToConnect = 15, kSecondsOfSilence = 60, kMostRedirections = 10;

struct CurlLibrary {
  CurlLibrary() { curl_global_init(CURL_GLOBAL_DEFAULT); }
  ~CurlLibrary() { curl_global_cleanup(); }
};

struct Transfer {
  const FetchRequest& request;
  const std::function<void(uint64_t)>& begin;
  const std::function<void(std::string_view)>& piece;
  CURL* handle;
  bool has_begun = false;
  std::exception_ptr thrown;

  // 0 where there is no HTTP.
  long status() const {
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    return status;
  }
  void begin_once() {
    if (std::exchange(has_begun, true)) return;
    begin(status() == 200 ? 0 : request.from);
  }
};

// No exception may pass through libcurl.
size_t take_piece(char* bytes, size_t, size_t count, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  if (transfer.status() >= 300) return count;  // a page that explains the error
  try {
    transfer.begin_once();
    transfer.piece({bytes, count});
    return count;
  } catch (...) {
    transfer.thrown = std::current_exception();
    return 0;
  }
}

bool is_lasting_failure(CURLcode code) {
  return code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT || code == CURLE_UNSUPPORTED_PROTOCOL ||
         code == CURLE_URL_MALFORMAT || code == CURLE_FILE_COULDNT_READ_FILE ||
         code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_COULDNT_RESOLVE_PROXY ||
         code == CURLE_OPERATION_TIMEDOUT;
}

}  // namespace

void fetch(const FetchRequest& request, const std::function<void(uint64_t)>& begin,
           const std::function<void(std::string_view)>& piece) {
  static const CurlLibrary library;
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(curl_easy_init(), &curl_easy_cleanup);
  require(handle != nullptr, "[fetch] libcurl cannot be started");
  CURL* curl = handle.get();
  Transfer transfer{request, begin, piece, curl};
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(nullptr, &curl_slist_free_all);
  for (const std::string& header : request.headers) headers.reset(curl_slist_append(headers.release(), header.c_str()));
  char reason[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https,file");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, kMostRedirections);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kSecondsToConnect);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, kSecondsOfSilence);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "fude");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &take_piece);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  if (!request.certificates.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, request.certificates.c_str());
  const std::string range = std::to_string(request.from) + "-";
  if (request.from > 0) curl_easy_setopt(curl, CURLOPT_RANGE, range.c_str());

  const CURLcode code = curl_easy_perform(curl);
  if (transfer.thrown) std::rethrow_exception(transfer.thrown);
  const long status = transfer.status();
  if (code != CURLE_OK) {
    const bool is_unreachable = status == 0 && !request.if_unreachable.empty();
    throw FetchError(fmt::format("[fetch] {}: {}{}", shown(request.url), *reason ? reason : curl_easy_strerror(code),
                                 is_unreachable ? " (" + request.if_unreachable + ")" : ""),
                     !transfer.has_begun && is_lasting_failure(code));
  }
  if (status == 416 && request.from > 0) return;  // there is nothing behind what is here already
  if (status >= 300) {
    const bool is_refused = (status == 401 || status == 403) && !request.if_refused.empty();
    throw FetchError(fmt::format("[fetch] {}: the server answers {}{}", shown(request.url), status,
                                 is_refused ? " (" + request.if_refused + ")" : ""),
                     status < 500 && status != 408 && status != 429);
  }
  transfer.begin_once();  // of nothing
}

std::string fetch_text(const FetchRequest& request, uint64_t limit) {
  std::string text;
  fetch(
      request, [](uint64_t) {},
      [&](std::string_view piece) {
        require(text.size() + piece.size() <= limit, "[fetch] {}: expected at most {} bytes", shown(request.url),
                limit);
        text += piece;
      });
  return text;
}

std::string resolve_url(const std::string& base, const std::string& link) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), &curl_url_cleanup);
  char* whole = nullptr;
  const bool is_url = url && curl_url_set(url.get(), CURLUPART_URL, base.c_str(), 0) == CURLUE_OK &&
                      curl_url_set(url.get(), CURLUPART_URL, link.c_str(), 0) == CURLUE_OK &&
                      curl_url_get(url.get(), CURLUPART_URL, &whole, 0) == CURLUE_OK;
  require(is_url, "[fetch] '{}' on {} is no address", shown(link), shown(base));
  const std::string result = whole;
  curl_free(whole);
  return result;
}

}  // namespace fude
