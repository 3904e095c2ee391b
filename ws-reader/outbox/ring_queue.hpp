#pragma once
// A queue in one ring of memory. It grows by doubling, and shrinks once it is empty. A std::deque allocates a
// block for every few elements that pass through it; this queue allocates nothing in steady state.
#include <cstddef>
#include <utility>
#include <vector>

namespace mdpipe {

template <typename T>
class RingQueue {
 public:
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }

  T& operator[](std::size_t index) { return slots_[at(index)]; }
  const T& operator[](std::size_t index) const { return slots_[at(index)]; }
  T& front() { return (*this)[0]; }
  const T& front() const { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1]; }

  T& emplace_back() {
    if (size_ == slots_.size()) resize(slots_.size() * 2);
    ++size_;
    return back() = T();
  }

  void pop_front() {
    front() = T();
    first_ = at(1);
    --size_;
    if (size_ == 0 && slots_.size() > kShrinkAbove) resize(kFirstSlots);
  }

 private:
  static constexpr std::size_t kFirstSlots = 16;  // a power of two, like every later size
  static constexpr std::size_t kShrinkAbove = 4096;

  [[nodiscard]] std::size_t at(std::size_t index) const { return (first_ + index) & (slots_.size() - 1); }

  void resize(std::size_t slots) {
    std::vector<T> moved(slots);
    for (std::size_t i = 0; i < size_; ++i) moved[i] = std::move((*this)[i]);
    slots_ = std::move(moved);
    first_ = 0;
  }

  std::vector<T> slots_ = std::vector<T>(kFirstSlots);
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace mdpipe
