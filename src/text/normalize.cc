#include "text/normalize.h"

#include <algorithm>

#include "base/error.h"
#include "text/byte_names.h"
#include "text/charsmap.h"
#include "text/unicode.h"

namespace fude {
namespace {

// The text that a step makes of another, and its trust; not longer than `limit`.
class Rewriter {
 public:
  Rewriter(std::string_view text, std::string_view trust, size_t limit) : text_(text), trust_(trust), limit_(limit) {}

  std::string_view text() const { return text_; }
  bool has_trust() const { return !trust_.empty(); }
  bool is_trusted(size_t at) const { return trust_[at] != 0; }
  // Where bytes of the other kind follow.
  size_t end_of_trust(size_t at) const { return std::min(trust_.find(trust_[at] ? '\0' : '\1', at), text_.size()); }

  void add(std::string_view made, std::string_view trust) {
    require(made.size() <= limit_ - out_.size(), "[normalize] the tokenizer makes a text more than 64 times as long");
    out_ += made;
    out_trust_ += trust;
  }
  void keep(size_t begin, size_t end) {
    add(text_.substr(begin, end - begin), has_trust() ? trust_.substr(begin, end - begin) : trust_);
  }
  // `made` stands for text[begin, end).
  void replace(size_t begin, size_t end, std::string_view made) {
    add(made, {});
    if (!has_trust()) return;
    const bool all_trusted = trust_.substr(begin, end - begin).find('\0') == std::string_view::npos;
    out_trust_.append(made.size(), char(all_trusted));
  }

  std::string take() { return std::move(out_); }
  std::string take_trust() { return std::move(out_trust_); }

 private:
  std::string_view text_, trust_;
  size_t limit_;
  std::string out_, out_trust_;
};

// No character joins an ASCII one behind it, so that the text may be cut in front of those.
void compose(Rewriter& to) {
  const std::string_view text = to.text();
  const auto composed = [&](size_t begin, size_t end) { return normalize_nfc(text.substr(begin, end - begin)); };
  if (!to.has_trust()) return to.replace(0, text.size(), normalize_nfc(text));
  const auto is_ascii = [&](size_t at) { return uint8_t(text[at]) < 128; };
  for (size_t begin = 0, end = 0; begin < text.size(); begin = end) {
    end = to.end_of_trust(begin);
    if (end < text.size() && !is_ascii(end)) {
      size_t last = end - 1;
      while (last > begin && !is_ascii(last)) --last;
      if (last == begin) {
        // Characters of both kinds that may join: they have if it makes a difference.
        while (end < text.size() && !is_ascii(end)) ++end;
        std::string apart, trust;
        for (size_t at = begin, stop = begin; at < end; at = stop) {
          stop = std::min(to.end_of_trust(at), end);
          apart += composed(at, stop);
          trust.resize(apart.size(), char(to.is_trusted(at)));
        }
        const std::string whole = composed(begin, end);
        if (apart == whole)
          to.add(whole, trust);
        else
          to.replace(begin, end, whole);
        continue;
      }
      end = last;
    }
    to.replace(begin, end, composed(begin, end));
  }
}

void replace_each(Rewriter& to, std::string_view from, std::string_view with) {
  for (size_t at = 0; at < to.text().size();) {
    const size_t found = std::min(to.text().find(from, at), to.text().size());
    to.keep(at, found);
    if (found == to.text().size()) return;
    at = found + from.size();
    to.replace(found, at, with);
  }
}

void squeeze_blanks(Rewriter& to, std::string_view with) {
  const std::string_view text = to.text();
  for (size_t at = 0; at < text.size();) {
    const size_t stop = std::min(text.find_first_not_of(' ', at), text.size());
    if (stop - at > 1)
      to.replace(at, stop, with);
    else
      to.keep(at, stop);
    at = std::min(text.find(' ', stop), text.size());
    to.keep(stop, at);
  }
}

void trim_blanks(Rewriter& to) {
  std::string_view text = to.text();
  while (text.ends_with(' ') || text.ends_with(kBlankMark))
    text.remove_suffix(text.ends_with(' ') ? 1 : kBlankMark.size());
  to.keep(std::min(text.find_first_not_of(' '), text.size()), text.size());
}

bool is_white_space(std::string_view text, size_t at) {
  return class_of(decode_character(text, at).code_point) == CharClass::space;
}

void strip_left(Rewriter& to) {
  size_t begin = 0;
  while (begin < to.text().size() && is_white_space(to.text(), begin))
    begin += decode_character(to.text(), begin).length;
  to.keep(begin, to.text().size());
}

void strip_right(Rewriter& to) {
  std::string_view text = to.text();
  while (!text.empty() && is_white_space(text, begin_of_last(text))) text = text.substr(0, begin_of_last(text));
  to.keep(0, text.size());
}

void apply(const NormalStep& step, Rewriter& to) {
  const size_t size = to.text().size();
  switch (step.kind) {
    case NormalStep::Kind::nfc:
      return compose(to);
    case NormalStep::Kind::charsmap:
      return Charsmap(step.from).apply(
          to.text(), [&](size_t begin, size_t end, std::string_view made) { to.replace(begin, end, made); });
    case NormalStep::Kind::replace:
      return replace_each(to, step.from, step.to);
    case NormalStep::Kind::squeeze:
      return squeeze_blanks(to, step.to);
    case NormalStep::Kind::trim:
      return trim_blanks(to);
    case NormalStep::Kind::strip_left:
      return strip_left(to);
    case NormalStep::Kind::strip_right:
      return strip_right(to);
    case NormalStep::Kind::prepend:
      if (size > 0) to.replace(0, 1, step.to);  // trusted as what it stands in front of
      return to.keep(0, size);
  }
}

}  // namespace

NormalStep mark_blanks() { return {NormalStep::Kind::replace, " ", std::string(kBlankMark)}; }

std::string normalize(const std::vector<NormalStep>& steps, std::string_view text, std::string* trust) {
  const size_t limit = 64 * text.size() + 1024;
  std::string out(text), out_trust = trust == nullptr ? "" : *trust;
  for (const NormalStep& step : steps) {
    Rewriter to(out, out_trust, limit);
    apply(step, to);
    out = to.take(), out_trust = to.take_trust();
  }
  if (trust != nullptr) *trust = std::move(out_trust);
  return out;
}

}  // namespace fude
