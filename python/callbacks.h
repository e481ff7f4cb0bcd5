// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "arrays.h"
#include "core/json.h"
#include "errors.h"

namespace wattwise::python {

/// What C++ sees of an exception, which Callbacks keeps.
inline Error callback_failed() { return {ErrorCode::kExhausted, "a callback raised an exception"}; }

/// What crosses from C++ into Python while a call is under way. Log records are queued without the
/// GIL by whatever thread logs, and handed to Python's `logging` by the calling thread when it next
/// holds the GIL: at each progress report and at the end of the call. An exception of a Python
/// callback cancels the call in C++'s own way and is raised again when the call has returned.
/// Thread rule: one object serves all threads that use a deployment.
class Callbacks {
 public:
  Callbacks(nanobind::object log, nanobind::object progress)
      : log_(hold(std::move(log))), progress_(hold(std::move(progress))) {}

  /// For DeploymentOptions::log.
  void queue_record(std::string_view level, std::string_view module, std::string_view message) {
    const std::lock_guard lock(mutex_);
    records_.push_back({std::string(level), std::string(module), valid_utf8(message)});
  }

  /// For DeploymentOptions::progress: false for Ctrl-C and for a callback that returns False.
  bool report_progress(std::string_view stage, double fraction) {
    bool go_on = true;
    const bool done = guard([&] {
      if (PyErr_CheckSignals() != 0) throw nanobind::python_error();
      hand_over_records();
      if (progress_->is_none()) return;
      const nanobind::object answer = (*progress_)(std::string(stage), fraction);
      go_on = answer.is_none() || nanobind::cast<bool>(nanobind::bool_(answer));
    });
    return done && go_on;
  }

  /// Runs `work` with the GIL; keeps what it throws for `call`. False if it threw.
  template <typename Work>
  static bool guard(const Work& work) {
    const nanobind::gil_scoped_acquire acquire;
    try {
      work();
      return true;
    } catch (...) {
      thrown() = std::current_exception();
      return false;
    }
  }

  /// Runs `work`, which returns a Result, without the GIL and unwraps what it returned.
  template <typename Work>
  auto call(const Work& work) {
    thrown() = nullptr;
    auto result = [&] {
      const nanobind::gil_scoped_release release;
      return work();
    }();
    hand_over_records();
    if (const auto pending = std::exchange(thrown(), nullptr)) std::rethrow_exception(pending);
    return unwrap(std::move(result));
  }

 private:
  struct Record {
    std::string level, module, message;
  };

  /// What a callback threw on this thread during the present call.
  static std::exception_ptr& thrown() {
    thread_local std::exception_ptr pending;
    return pending;
  }

  void hand_over_records() {
    std::vector<Record> records;
    {
      const std::lock_guard lock(mutex_);
      records.swap(records_);
    }
    for (const Record& record : records) (*log_)(record.level, record.module, record.message);
  }

  Held log_;
  Held progress_;
  std::mutex mutex_;
  std::vector<Record> records_;
};

}  // namespace wattwise::python
