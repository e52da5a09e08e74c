// Barriers and warp collectives: who waits where, and the faults of divergent code.
#include <set>
#include <sstream>

#include "engine.h"

namespace shim {

namespace {

std::string name(const Place& place) {
  std::ostringstream text;
  text << place.what << " at " << place.file << ":" << place.line;
  return text.str();
}

// The threads of the block for which keep() holds, as "0-31, 40".
template <typename Keep>
std::string ranges(const Block& block, Keep keep) {
  std::ostringstream text;
  const int count = static_cast<int>(block.threads.size());
  for (int i = 0; i < count; ++i) {
    if (!keep(block.threads[i])) continue;
    int last = i;
    while (last + 1 < count && keep(block.threads[last + 1])) ++last;
    text << (text.tellp() > 0 ? ", " : "") << i;
    if (last > i) text << "-" << last;
    i = last;
  }
  return text.str();
}

std::string waiters(const Thread& me, const Group& group) {
  return "threads " + ranges(*me.block, [&](const Thread& t) { return t.waits == &group; }) +
         " wait at " + name(group.place);
}

std::string exits(const Thread& me, const Group& group) {
  return "threads " +
         ranges(*me.block,
                [&](const Thread& t) {
                  return t.exited && t.index >= group.first && t.index < group.first + group.size;
                }) +
         " have returned";
}

bool same(const Place& a, const Place& b) {
  const auto equal = [](const char* s, const char* t) { return s == t || !std::strcmp(s, t); };
  return a.line == b.line && equal(a.what, b.what) && equal(a.file, b.file);
}

// A lane at a collective of its warp and another at a barrier of the block wait for each other.
bool crossed(const Thread& me, const Group& group) {
  return &group == &me.block->group ? me.warp->group.waiting > 0 : me.warp->at_barrier > 0;
}

// What is wrong with coming to this place now; empty where nothing is.
std::string objection(const Thread& me, const Group& group, const Place& place) {
  const bool whole_block = &group == &me.block->group;
  if (!whole_block && group.size < 32)
    return name(place) + " in a warp of " + std::to_string(group.size) + " threads";
  const std::string start =
      (whole_block && !crossed(me, group) ? "divergent barrier: it is at "
                                          : "warp collective in divergent code: it is at ") +
      name(place) + ", ";
  if (group.exited > 0) return start + exits(me, group);
  if (group.waiting > 0 && !same(group.place, place)) return start + waiters(me, group);
  if (crossed(me, group))
    return start + waiters(me, whole_block ? me.warp->group : me.block->group);
  return "";
}

// The usual case is told apart without building a message.
void check(Lock& lock, Thread& me, const Group& group, const Place& place) {
  const bool full = &group == &me.block->group || group.size == 32;
  const bool together = group.waiting == 0 || same(group.place, place);
  if (full && together && group.exited == 0 && !crossed(me, group)) return;
  fail(lock, me, objection(me, group, place));
}

void release(Thread& me, Group& group) {
  Launch& launch = me.block->launch;
  group.waiting = 0;
  launch.waiting -= group.size - 1;
  for (int i = 0; i < group.size; ++i) me.block->threads[group.first + i].waits = nullptr;
  if (&group == &me.block->group)
    for (Warp& warp : me.block->warps) warp.at_barrier = 0;
  launch.progress.fetch_add(1, std::memory_order_relaxed);
  wake(launch, *me.block, group);
}

}  // namespace

std::string whereabouts(const Launch& launch) {
  std::set<std::string> lines;
  for (const Block* block : launch.blocks) {
    std::set<const Group*> groups;
    std::ostringstream at;
    at << "block (" << block->index.x << "," << block->index.y << "): ";
    for (const Thread& thread : block->threads) {
      if (thread.exited) continue;
      if (thread.waits && groups.insert(thread.waits).second)
        lines.insert(at.str() + waiters(thread, *thread.waits));
      if (!thread.waits && thread.spins.what)
        lines.insert(at.str() + "thread " + std::to_string(thread.index) + " spins at " +
                     name(thread.spins));
    }
  }
  std::string text;
  for (const std::string& line : lines) text += "; " + line;
  return text;
}

void fail(Lock&, Thread& me, const std::string& what) {
  Launch& launch = me.block->launch;
  if (!launch.faulty) {
    std::ostringstream text;
    text << "launch by " << name(launch.place) << ", block (" << me.block->index.x << ","
         << me.block->index.y << "), thread " << me.index << ": " << what;
    launch.fault = text.str();
    launch.faulty = true;
    wake_all(launch);
  }
  throw Abandoned{};
}

void meet(Thread& me, Group& group, const Place& place, void (*complete)(Warp&)) {
  Launch& launch = me.block->launch;
  Lock lock(launch);
  if (launch.faulty) throw Abandoned{};
  check(lock, me, group, place);
  group.place = place;
  if (++group.waiting == group.size) {
    if (complete) complete(*me.warp);
    release(me, group);
    return;
  }
  me.waits = &group;
  if (&group == &me.block->group) ++me.warp->at_barrier;
  if (++launch.waiting == launch.live)
    fail(lock, me, "deadlock: every thread waits" + whereabouts(launch));
  wait(lock, me, group);
}

void depart(Thread& me) {
  Launch& launch = me.block->launch;
  Lock lock(launch);
  me.exited = true;
  --launch.live;
  launch.progress.fetch_add(1, std::memory_order_relaxed);
  for (Group* group : {&me.block->group, &me.warp->group}) {
    ++group->exited;
    if (group->waiting > 0 && !launch.faulty)
      fail(lock, me, "divergent code: it has returned, " + waiters(me, *group));
  }
  if (launch.live > 0 && launch.waiting == launch.live && !launch.faulty)
    fail(lock, me, "deadlock: every thread that is left waits" + whereabouts(launch));
}

void run_thread(Thread& me) {
  try {
    try {
      if (!me.block->launch.faulty) me.block->launch.body();
    } catch (const std::exception& error) {
      Lock lock(me.block->launch);
      fail(lock, me, std::string("the kernel threw: ") + error.what());
    } catch (const Abandoned&) {
    }
    depart(me);
  } catch (const Abandoned&) {  // a fault that leaving was: recorded
  }
}

void meet_block(const Place& place) {
  Thread& me = *current;
  const unsigned turn = me.block_turn++ % 2;
  publish(me.block->group, turn);
  meet(me, me.block->group, place, nullptr);
  observe(me.block->group, turn);
}

void meet_warp(const Place& place) {
  Thread& me = *current;
  const unsigned turn = me.warp_turn++ % 2;
  publish(me.warp->group, turn);
  meet(me, me.warp->group, place, nullptr);
  observe(me.warp->group, turn);
}

}  // namespace shim
