// Shuffles, mma and asynchronous copies.
//
// The last lane to arrive at a collective works it out for all 32, so that a lane is switched away
// from once. The others are suspended meanwhile: pointers into their stacks stay good.
#include "engine.h"
#include "mma.h"

namespace shim {

namespace {

void deliver(Warp& warp) {
  for (Lane& lane : warp.lanes) lane.received = warp.lanes[lane.source].sent;
}

void multiply_warp(Warp& warp) {
  Fragments all;
  for (int i = 0; i < 32; ++i) {
    const Lane& lane = warp.lanes[i];
    all.d[i] = lane.d;
    all.a[i] = lane.a;
    all.b[i] = lane.b;
  }
  multiply_fragments(all, warp.lanes[0].kind);
}

}  // namespace

int lane() { return current->lane(); }

unsigned char* block_shared_memory() { return current->block->shared; }

void refuse(const char* what, const Place& place) {
  Lock lock(current->block->launch);
  fail(lock, *current,
       std::string(place.what) + " at " + place.file + ":" + std::to_string(place.line) + ": " +
           what);
}

std::uint32_t exchange(std::uint32_t value, int source_lane, const Place& place) {
  Thread& me = *current;
  Lane& mine = me.warp->lanes[me.lane()];
  mine.sent = value;
  mine.source = source_lane;
  meet(me, me.warp->group, place, deliver);
  return mine.received;
}

void multiply(float* d, const std::uint32_t* a, const std::uint32_t* b, Fragment kind,
              const Place& place) {
  Thread& me = *current;
  Lane& mine = me.warp->lanes[me.lane()];
  mine.d = d;
  mine.a = a;
  mine.b = b;
  mine.kind = kind;
  meet(me, me.warp->group, place, multiply_warp);
}

void start_copy(void* to, const void* from) {
  current->copies.push_back({to, from, current->groups});
}

void commit_copies() { ++current->groups; }

void finish_copies(int groups_left) {
  std::vector<Copy>& copies = current->copies;
  std::size_t done = 0;
  for (; done < copies.size() && copies[done].group < current->groups - groups_left; ++done) {
    if (copies[done].from)
      std::memcpy(copies[done].to, copies[done].from, 16);
    else
      std::memset(copies[done].to, 0, 16);
  }
  copies.erase(copies.begin(), copies.begin() + static_cast<std::ptrdiff_t>(done));
}

void fence() { current->fenced = true; }

bool take_fence() {
  const bool fenced = current->fenced;
  current->fenced = false;
  return fenced;
}

}  // namespace shim
