// SPDX-License-Identifier: Apache-2.0
#include "deploy/mixed_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "model/graph_edit.h"
#include "quantize/kernels.h"
#include "quantize/mixed_plan.h"

namespace wattwise::deploy {
namespace {

/// Choices that differ by less in cost are not worth another file.
constexpr double kWorthAFile = 0.02;
/// The part of the limit that the first guess aims at.
constexpr double kAim = 0.7;

/// Of all searches for one model.
struct SearchState {
  const std::string& staged_path;
  int files_left = 0;
  int tried = 0;
  std::string last_objection;
  std::vector<Decision> decisions;
};

/// Evaluates choices of a plan and remembers what came of it.
class Search {
 public:
  Search(Context& context, const CandidateSource& source, const quantize::MixedPlan& plan,
         SearchState& state)
      : context_(context),
        source_(source),
        plan_(plan),
        state_(state),
        limit_(context.resolved().config.quantization.max_accuracy_drop_percent),
        end_(plan.choices.size()) {
    // Where nothing is done to any layer there is nothing to evaluate.
    const auto& last = plan.choices.back().picks;
    const bool is_float =
        std::all_of(last.begin(), last.end(), [](size_t pick) { return pick == 0; });
    if (is_float && plan.before.layers.empty()) --end_;
  }

  /// The winner; absent where no choice that was tried keeps the limit. kExhausted and kIo end the
  /// search; whatever else a file suffers from counts against it.
  Result<std::optional<Candidate>> run() {
    // One file is kept back: the winner may have to be made again.
    for (auto next = first(); next && state_.files_left > 1; next = between()) {
      WATTWISE_TRY(evaluate(*next));
    }
    if (!best_) return std::optional<Candidate>();
    if (last_ != best_index_) WATTWISE_TRY(evaluate(best_index_));
    const Progress progress = context_.progress();
    WATTWISE_TRY(quantize::rank_layers(plan_, plan_.choices[best_index_],
                                       method_context(context_, source_, progress),
                                       best_->outcome));
    return std::move(best_);
  }

 private:
  /// The cheapest, which may well do.
  std::optional<size_t> first() const { return end_ > 0 ? std::optional<size_t>(0) : std::nullopt; }

  /// The next choice, between those that lose too much and those that do not.
  std::optional<size_t> between() const {
    if (bad_ + 1 >= end_ || best_index_ == 0) return std::nullopt;
    if (best_ &&
        plan_.choices[best_index_].cost <= plan_.choices[bad_ + 1].cost * (1 + kWorthAFile)) {
      return std::nullopt;
    }
    if (const auto guess = guess_; guess && *guess > bad_ && *guess < end_) return *guess;
    return bad_ + (end_ - bad_) / 2;
  }

  Result<void> evaluate(size_t index) {
    ++state_.tried;
    --state_.files_left;
    last_ = index;
    guess_.reset();
    const quantize::KnapsackChoice& choice = plan_.choices[index];
    const Progress progress = context_.progress();
    const quantize::MethodContext given = method_context(context_, source_, progress);
    const auto write = [&](model::Model& model) {
      return quantize::write_mixed(model, plan_, choice, given);
    };
    auto candidate = make_candidate(context_, source_, {std::string(kMixed), plan_.model, write},
                                    state_.staged_path);
    if (!candidate) {
      const ErrorCode code = candidate.error().code();
      if (code == ErrorCode::kExhausted || code == ErrorCode::kIo) {
        return std::move(candidate).error();
      }
      reject(index, candidate.error().to_string());
      return {};
    }
    if (candidate->size_bytes >= source_.original_size_bytes) end_ = std::min(end_, index);
    if (const auto why_not = objection(*candidate, source_, limit_)) {
      reject(index, *why_not);
      guess_ = guess(index, candidate->accuracy);
      return {};
    }
    tell(index, fmt::format("drop {:.3f} % ({}) in {}", candidate->accuracy.drop_percent,
                            candidate->accuracy.compared_by,
                            format_bytes(static_cast<uint64_t>(candidate->size_bytes))));
    end_ = best_index_ = index;
    best_ = std::move(*candidate);
    return {};
  }

  void reject(size_t index, std::string why) {
    tell(index, why);
    state_.last_objection = std::move(why);
    bad_ = std::max(bad_, index);
  }

  void tell(size_t index, const std::string& what) {
    state_.decisions.push_back(
        {"try", std::string(kMixed),
         fmt::format("mixture {} of {}, estimated SQNR of the outputs {}: {}", index + 1,
                     plan_.choices.size(),
                     format_decibels(quantize::decibels(1, plan_.choices[index].noise)), what)});
  }

  /// Where the drop may be within the limit: 1 - cosine grows with the squared error, the number of
  /// flipped decisions with the error itself.
  std::optional<size_t> guess(size_t index, const Accuracy& accuracy) const {
    if (best_ || !(accuracy.drop_percent > 0) || limit_ <= 0) return std::nullopt;
    // What convolutions in integers lose is in every choice: may any of them do?
    if (!plan_.before.layers.empty()) return end_ - 1;
    const double ratio = kAim * limit_ / accuracy.drop_percent;
    const double part = accuracy.compared_by.starts_with("cosine") ? ratio : ratio * ratio;
    const auto& choices = plan_.choices;
    for (size_t i = index + 1; i < end_; ++i) {
      if (choices[i].noise <= choices[index].noise * part) return i;
    }
    return std::nullopt;
  }

  Context& context_;
  const CandidateSource& source_;
  const quantize::MixedPlan& plan_;
  SearchState& state_;
  double limit_;
  size_t bad_ = 0;  ///< the most exact choice that failed; all before it are given up
  size_t end_;      ///< no choice from here on need be tried
  size_t last_ = 0;
  std::optional<size_t> guess_;
  std::optional<Candidate> best_;
  size_t best_index_ = static_cast<size_t>(-1);
};

}  // namespace

Result<Candidate> search_mixed(Context& context, const CandidateSource& source,
                               const std::string& staged_path) {
  const Progress progress = context.progress();
  const quantize::MethodContext given = method_context(context, source, progress);
  SearchState state{staged_path, kMostEvaluations / 2, 0, "", {}};
  std::optional<Candidate> found;
  // Integers for activations pay most, but not every model bears them.
  auto with_static = quantize::plan_mixed_static(source.optimized, given);
  if (!with_static && with_static.error().code() != ErrorCode::kUnsupported) {
    return std::move(with_static).error();
  }
  if (!with_static) {
    state.decisions.push_back({"leave", "static", with_static.error().message()});
  } else if (*with_static) {
    found = WATTWISE_TRY(Search(context, source, **with_static, state).run());
  }
  if (!found) {
    state.files_left = kMostEvaluations - state.tried;
    const auto plan = WATTWISE_TRY(quantize::plan_mixed(source.optimized, given));
    found = WATTWISE_TRY(Search(context, source, plan, state).run());
  }
  if (!found) {
    return Error(
        ErrorCode::kUnsupported,
        state.tried == 0
            ? "no layer of this model has weights to be quantized"
            : fmt::format("none of {} mixtures of formats that were tried keeps the limit; {}",
                          state.tried, state.last_objection));
  }
  std::vector<Decision>& told = found->outcome.decisions;
  told.insert(told.begin(), state.decisions.begin(), state.decisions.end());
  return std::move(*found);
}

}  // namespace wattwise::deploy
