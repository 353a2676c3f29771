// Compiles the non-inline part of fmt into isolate. Debian ships this part only as a shared library, and isolate's
// programs are linked statically.
#include <fmt/format-inl.h>

FMT_BEGIN_NAMESPACE
namespace detail {
template FMT_API auto dragonbox::to_decimal(float value) noexcept -> dragonbox::decimal_fp<float>;
template FMT_API auto dragonbox::to_decimal(double value) noexcept -> dragonbox::decimal_fp<double>;
template FMT_API auto thousands_sep_impl(locale_ref locale) -> thousands_sep_result<char>;
template FMT_API auto decimal_point_impl(locale_ref locale) -> char;
template FMT_API void buffer<char>::append(const char* begin, const char* end);
#if FMT_VERSION >= 100000
using Arguments = vformat_args<char>::type;
#else
using Arguments = basic_format_args<FMT_BUFFER_CONTEXT(char)>;
#endif
template FMT_API void vformat_to(buffer<char>& buffer, string_view format, Arguments arguments, locale_ref locale);
}  // namespace detail
FMT_END_NAMESPACE
