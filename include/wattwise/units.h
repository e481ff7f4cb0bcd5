// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace wattwise {

/// A physical quantity in one fixed unit. The tag keeps joules from being added to watts; the
/// number leaves only through `count()`, at a border whose name carries the unit.
template <typename Tag>
class Quantity {
 public:
  constexpr Quantity() = default;
  constexpr explicit Quantity(double count) : count_(count) {}

  constexpr double count() const { return count_; }
  friend constexpr bool operator==(Quantity a, Quantity b) { return a.count_ == b.count_; }
  friend constexpr bool operator<(Quantity a, Quantity b) { return a.count_ < b.count_; }
  friend constexpr bool operator>(Quantity a, Quantity b) { return b < a; }
  friend constexpr bool operator<=(Quantity a, Quantity b) { return a.count_ <= b.count_; }
  friend constexpr bool operator>=(Quantity a, Quantity b) { return b <= a; }

  friend constexpr Quantity operator+(Quantity a, Quantity b) {
    return Quantity(a.count_ + b.count_);
  }
  friend constexpr Quantity operator-(Quantity a, Quantity b) {
    return Quantity(a.count_ - b.count_);
  }
  friend constexpr Quantity operator*(Quantity a, double k) { return Quantity(a.count_ * k); }
  friend constexpr Quantity operator*(double k, Quantity a) { return Quantity(a.count_ * k); }
  friend constexpr Quantity operator/(Quantity a, double k) { return Quantity(a.count_ / k); }
  friend constexpr double operator/(Quantity a, Quantity b) { return a.count_ / b.count_; }

 private:
  double count_ = 0;
};

using Milliwatts = Quantity<struct MilliwattsTag>;
using Millijoules = Quantity<struct MillijoulesTag>;
using WattHours = Quantity<struct WattHoursTag>;
using Celsius = Quantity<struct CelsiusTag>;
using Seconds = Quantity<struct SecondsTag>;
using Milliseconds = Quantity<struct MillisecondsTag>;

constexpr Milliseconds to_milliseconds(Seconds s) { return Milliseconds(s.count() * 1e3); }
constexpr Seconds to_seconds(Milliseconds ms) { return Seconds(ms.count() / 1e3); }

/// Energy is power times time: mW x s = mJ.
constexpr Millijoules operator*(Milliwatts p, Seconds t) {
  return Millijoules(p.count() * t.count());
}
constexpr Milliwatts operator/(Millijoules e, Seconds t) {
  return Milliwatts(e.count() / t.count());
}

}  // namespace wattwise
