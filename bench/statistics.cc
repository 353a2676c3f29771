#include "statistics.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace isolate::bench {
namespace {

constexpr int kResamples = 2000;

double median_of_resample(const std::vector<double>& samples, std::mt19937_64* random) {
  std::uniform_int_distribution<std::size_t> pick(0, samples.size() - 1);
  std::vector<double> drawn(samples.size());
  std::generate(drawn.begin(), drawn.end(), [&] { return samples[pick(*random)]; });
  return quantile(std::move(drawn), 0.5);
}

}  // namespace

double quantile(std::vector<double> samples, double fraction) {
  if (samples.empty()) return 0;
  std::sort(samples.begin(), samples.end());
  const double position = fraction * static_cast<double>(samples.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const auto above = std::min(below + 1, samples.size() - 1);
  return std::lerp(samples[below], samples[above], position - std::floor(position));
}

Summary summarize(const std::vector<double>& samples) {
  return {quantile(samples, 0.5), quantile(samples, 0.25), quantile(samples, 0.75)};
}

Ratio ratio_of_medians(const std::vector<double>& of, const std::vector<double>& to) {
  if (of.empty() || to.empty()) return {};
  std::mt19937_64 random(20231);
  std::vector<double> ratios(kResamples);
  std::generate(ratios.begin(), ratios.end(),
                [&] { return median_of_resample(of, &random) / median_of_resample(to, &random); });
  return {quantile(of, 0.5) / quantile(to, 0.5), quantile(ratios, 0.025), quantile(ratios, 0.975)};
}

}  // namespace isolate::bench
