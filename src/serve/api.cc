#include "serve/api.h"

#include <algorithm>
#include <cctype>
#include <ctime>
#include <random>

#include "serve/http_server.h"
#include "serve/page.h"

namespace fude {
namespace {

std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  return lower;
}

struct Route {
  const char* path;
  const char* method;
  bool is_open = false;    // needs no key
  bool is_prefix = false;  // anything may follow
};
constexpr Route kRoutes[] = {
    {"/v1/chat/completions", "POST"}, {"/v1/models", "GET"},    {"/v1/models/", "GET", false, true},
    {"/health", "GET", true},         {"/metrics", "GET"},      {"/", "GET", true},
    {"/page.css", "GET", true},       {"/page.js", "GET", true}};

const Route* route_of(std::string_view path) {
  for (const Route& route : kRoutes)
    if (path == route.path || (route.is_prefix && path.starts_with(route.path) && path != route.path)) return &route;
  return nullptr;
}

// Takes as long for any text of this length.
bool is_equal_in_constant_time(std::string_view given, std::string_view secret) {
  unsigned difference = given.size() == secret.size() ? 0 : 1;
  for (size_t i = 0; i < given.size(); ++i)
    difference |=
        unsigned(static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(secret[i % secret.size()]));
  return difference == 0;
}

// "localhost:8080" without its port, "[::1]:8080" without its brackets as well.
std::string name_in(std::string_view host) {
  if (host.starts_with('[')) return std::string(host.substr(1, host.find(']') - 1));
  return std::string(host.substr(0, host.find(':')));
}

std::string decoded(std::string_view path) {
  std::string out;
  for (size_t i = 0; i < path.size(); ++i) {
    unsigned value = 0;
    if (path[i] == '%' && i + 2 < path.size() &&
        std::sscanf(std::string(path.substr(i + 1, 2)).c_str(), "%2x", &value) == 1) {
      out += char(value);
      i += 2;
    } else {
      out += path[i];
    }
  }
  return out;
}

uint64_t random_seed() {
  static thread_local std::mt19937_64 random{std::random_device{}()};
  return random();
}

}  // namespace

Api::Api(EngineThread& engine, const Tokenizer& tokenizer, ApiOptions options)
    : engine_(engine),
      tokenizer_(tokenizer),
      options_(std::move(options)),
      created_(int64_t(std::time(nullptr))),
      prompts_(tokenizer),
      constraints_(tokenizer, prompts_.stops()) {}

bool Api::refuses(const HttpRequest& head, HttpReply& reply) {
  try {
    check_head(head);
    return false;
  } catch (const ApiError& error) {
    reply = reply_of(error);
    if (error.status == 405) reply.headers.emplace_back("allow", route_of(head.path)->method);
    return true;
  }
}

void Api::check_head(const HttpRequest& head) const {
  check_place(head);
  const Route* route = route_of(head.path);
  if (route == nullptr || !route->is_open) check_key(head);
  if (route == nullptr)
    throw ApiError(404, fmt::format("[serve] there is no {} {}", head.method, head.path.substr(0, 200)), "",
                   "unknown_url");
  if (head.method != route->method && !(head.method == "HEAD" && route->method == std::string_view("GET")))
    throw ApiError(405, fmt::format("[serve] {} is for {}", route->path, route->method), "", "method_not_allowed");
  if (head.method != "POST") return;
  std::string type = in_lower_case(head.header("content-type").substr(0, head.header("content-type").find(';')));
  while (type.ends_with(' ')) type.pop_back();
  if (type != "application/json")
    throw ApiError(415, "[serve] expected a body of content-type application/json", "", "unsupported_media_type");
  if (const std::string_view coding = head.header("content-encoding"); !coding.empty() && coding != "identity")
    throw ApiError(415, "[serve] expected a body without content-encoding", "", "unsupported_media_type");
}

void Api::check_place(const HttpRequest& head) const {
  const std::string_view host = head.header("host"), origin = head.header("origin");
  // A name of another site that leads here (DNS rebinding).
  if (options_.is_local && !is_loopback(name_in(host)))
    throw ApiError(403, "[serve] expected localhost, 127.0.0.1 or [::1] as Host", "", "forbidden_host");
  if (!origin.empty() && origin != "http://" + std::string(host) && origin != "https://" + std::string(host))
    throw ApiError(403, "[serve] pages of other sites may not use this server", "", "forbidden_origin");
}

void Api::check_key(const HttpRequest& head) const {
  if (options_.key.empty()) return;
  constexpr std::string_view kBearer = "bearer ";
  const std::string_view given = head.header("authorization");
  if (in_lower_case(given.substr(0, kBearer.size())) == kBearer &&
      is_equal_in_constant_time(given.substr(kBearer.size()), options_.key))
    return;
  throw ApiError(401, given.empty() ? "[serve] expected a key: Authorization: Bearer KEY" : "[serve] the key is wrong",
                 "", "invalid_api_key");
}

HttpReply Api::serve(const HttpRequest& request) {
  try {
    return reply(request);
  } catch (const ApiError& error) { return reply_of(error); } catch (const std::bad_alloc&) {
    ApiError memory(503, "[serve] not enough memory now", "", "server_is_overloaded");
    memory.retry_after = 5;
    return reply_of(memory);
  } catch (const Error& error) {
    return reply_of(ApiError(400, error.what(), "", "invalid_value"));
  } catch (const std::exception&) { return reply_of(ApiError(500, "[serve] internal error", "", "internal_error")); }
}

HttpReply Api::reply(const HttpRequest& request) {
  const std::string& path = request.path;
  if (path == "/v1/chat/completions") return chat(request);
  if (path.starts_with("/v1/models")) return models(path);
  if (path == "/health") return {.body = R"({"status":"ok"})"};
  if (path == "/metrics")
    return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics_.text(engine_.status())};
  const PageFile& file = page_file(path);
  return {
      .content_type = file.type,
      .body = std::string(file.content),
      .headers = {{"content-security-policy",
                   "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
                   "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
                  {"referrer-policy", "no-referrer"},
                  {"cache-control", "no-cache"}}};
}

void Api::replied(const HttpRequest& request, int status) {
  const Route* route = route_of(request.path);
  metrics_.count_request(route == nullptr ? "unknown" : route->path, status);
}

HttpReply Api::models(const std::string& path) const {
  const Json model = {{"id", options_.model},
                      {"object", "model"},
                      {"created", created_},
                      {"owned_by", "fude"},
                      {"context_length", engine_.context()}};
  constexpr std::string_view kOne = "/v1/models/";
  if (path == "/v1/models") return {.body = Json{{"object", "list"}, {"data", Json::array({model})}}.dump()};
  const std::string id = decoded(std::string_view(path).substr(kOne.size()));
  if (id != options_.model)
    throw ApiError(404, fmt::format("[serve] there is no model '{}'", id.substr(0, 200)), "model", "model_not_found");
  return {.body = model.dump()};
}

Request Api::engine_request(const ChatRequest& chat, AnswerForm& form) {
  const auto kinds = kinds_of_answer(chat, prompts_.calls());
  ChatPrompts::Prompt prompt = prompts_.prompt(chat, !kinds.empty());
  form = std::move(prompt.form);
  form.awaits_calls = !chat.is_stream;
  form.has_one_call = !chat.has_parallel_calls && !chat.must_call();  // a call that is forced is the only one
  Request request{.prompt = std::move(prompt.tokens), .sampling = chat.sampling, .stop_tokens = prompts_.stops()};
  const auto size = int64_t(request.prompt.size());
  if (size >= engine_.context())
    throw ApiError(400,
                   fmt::format("[serve] this model's context is {} tokens, and the messages have {} of them",
                               engine_.context(), size),
                   "messages", "context_length_exceeded");
  request.max_tokens = std::min(chat.max_tokens.value_or(engine_.context()), engine_.context() - size);
  request.choices = chat.vote > 0 ? chat.vote : chat.choices;
  if (const int64_t most = options_.limits.whole_logprobs;
      chat.has_logprobs && !chat.is_stream && request.max_tokens > most / ((1 + chat.top_logprobs) * request.choices))
    throw ApiError(
        400,
        fmt::format("[serve] up to {} tokens of {} choices may have too many log-probabilities for one reply: "
                    "ask for fewer with 'max_tokens', or for a stream",
                    request.max_tokens, request.choices),
        "logprobs", "invalid_value");
  if (!chat.has_seed) request.sampling.seed = random_seed();
  request.top_logprobs = chat.top_logprobs;
  request.adapter = options_.adapter;
  if (chat.budget.is_given() && form.may_think) try {
      const auto masks = thinking_masks(prompts_.chat(), chat.budget, form.begins_in_thought);
      request.mask = [masks](int64_t) { return masks(); };
    } catch (const Error& error) { throw ApiError(400, error.what(), "reasoning", "invalid_value"); }
  if (kinds.empty()) return request;
  try {
    request.mask = constraints_.find(kinds).masks();
  } catch (const Error& error) {
    throw ApiError(400, error.what(), chat.must_call() ? "tools" : "response_format", "invalid_schema");
  }
  return request;
}

HttpReply Api::chat(const HttpRequest& http) {
  const ChatRequest chat = parse_chat_request(http.body, options_.limits);
  if (!chat.model.empty() && chat.model != options_.model)
    throw ApiError(
        404, fmt::format("[serve] there is no model '{}'; this one is '{}'", chat.model.substr(0, 200), options_.model),
        "model", "model_not_found");
  if (chat.choose != ChooseBy::vote && options_.judge == nullptr)
    throw ApiError(400, "[serve] this server has no scorer to choose by: it can only count votes", "choose",
                   "unsupported_value");
  AnswerForm form;
  Request request = engine_request(chat, form);
  const auto exchange = std::make_shared<ChatExchange>(engine_, tokenizer_, metrics_, chat, options_.model, form,
                                                       options_.judge, http.began);
  try {
    exchange->submit(std::move(request));
  } catch (const ApiError&) { throw; } catch (const Error& error) {
    // Only the engine knows how many tokens the model has; all else that it checks has been checked.
    if (chat.sampling.logit_bias.empty()) throw;
    throw ApiError(400, error.what(), "logit_bias", "invalid_value");
  }
  HttpReply reply{.source = exchange};
  if (chat.is_stream) {
    reply.content_type = "text/event-stream; charset=utf-8";
    reply.headers = {{"cache-control", "no-cache"}, {"x-accel-buffering", "no"}};
  }
  return reply;
}

}  // namespace fude
