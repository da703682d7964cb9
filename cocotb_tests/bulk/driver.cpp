// Plays streams of beats through a verilated design with valid/ready ports, without a scripting language in the loop.
//
//   driver play PLAN BEATS RESULTS MET       every segment of the plan; the results that come, and a report a segment
//   driver kill PLAN BEATS EXPECTED VARIANT... every segment for those variants of a design that has several behind a
//                                            select port: the first difference ends a variant
//   driver bare BEATS ROUNDS                 no handshake: a beat a clock cycle, results thrown away (for benchmarks)
//
// PLAN is text (see plan.py), BEATS rows of 32-bit words in the byte order of the machine: a word that is 1 on the last
// beat of an item, then the words of the input ports; row 0 is what the ports carry while nothing is offered. RESULTS and
// EXPECTED are rows of the words of the output ports, MET has a byte for each result: what its item met at the ports, the
// bits of Met. ports.h, generated, is all that is known of the design. A build with counters of code coverage leaves them in
// RESULTS.coverage.
//
// A clock cycle: drive the inputs with the clock low, let them settle, see which transfers the edge will make, raise the
// clock. Held, whatever the plan: a result stays until it is taken, none comes before the last beat of its item, none is
// missing or surplus, no valid in reset after the first edge of it, something happens in kWatchdogCycles.
// Registers begin with random bits (of a fixed seed); there is no X.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#if VM_COVERAGE
#include "verilated_cov.h"
#endif

#include "Vtop.h"
#include "ports.h"

namespace {

using Word = std::uint32_t;
constexpr std::size_t kRowWords = 1 + kInputWords;
constexpr std::int64_t kUnset = -1;

// A file as an array of rows.
class Rows {
 public:
  Rows(const char* path, std::size_t words) : words_(words) {
    const int file = open(path, O_RDONLY);
    struct stat status {};
    if (file < 0 || fstat(file, &status) != 0) throw std::runtime_error(std::string("cannot read ") + path);
    size_ = static_cast<std::size_t>(status.st_size);
    if (size_ % (words * sizeof(Word)) != 0) throw std::runtime_error(std::string(path) + " holds no whole rows");
    if (size_ != 0) {
      void* data = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
      if (data == MAP_FAILED) throw std::runtime_error(std::string("cannot map ") + path);
      data_ = static_cast<const Word*>(data);
    }
    close(file);
  }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  ~Rows() {
    if (data_ != nullptr) munmap(const_cast<Word*>(data_), size_);
  }

  const Word* operator[](std::size_t row) const { return data_ + row * words_; }
  std::size_t count() const { return size_ / (words_ * sizeof(Word)); }

 private:
  std::size_t words_, size_ = 0;
  const Word* data_ = nullptr;
};

// When one side of the stream is open: a period that repeats.
class Pattern {
 public:
  explicit Pattern(const std::string& period) : period_(period) {}
  void restart() { at_ = 0; }
  bool next() {
    const bool open = period_[at_] == '1';
    if (++at_ == period_.size()) at_ = 0;
    return open;
  }

 private:
  std::string period_;
  std::size_t at_ = 0;
};

// What plan.py calls a segment.
struct Segment {
  std::size_t first_beat, beats, first_item, items, offer, take;
  std::int64_t cut, reset, latency, full_rate, must_offer, must_take;
};

struct Plan {
  std::int64_t watchdog, drain;
  std::vector<Pattern> patterns;
  std::vector<Segment> segments;

  explicit Plan(const char* path) {
    std::ifstream file(path);
    std::string word;
    file >> watchdog >> drain;
    while (file >> word) {
      if (word == "pattern") {
        file >> word;
        patterns.emplace_back(word);
      } else {
        Segment s{};
        file >> s.first_beat >> s.beats >> s.first_item >> s.items >> s.offer >> s.take >> s.cut >> s.reset >>
            s.latency >> s.full_rate >> s.must_offer >> s.must_take;
        segments.push_back(s);
      }
    }
    if (!file.eof() || segments.empty()) throw std::runtime_error("the plan is damaged");
  }
};

// What an item meets: its beats and its result, none of which waits; right behind the item before; after a gap; held up
// at either side; the first after a reset.
enum Met : std::uint8_t { kFlowing = 1, kBackToBack = 2, kBubble = 4, kStalled = 8, kAfterReset = 16 };

struct Report {
  std::size_t accepted = 0, seen = 0, refused = 0;
  std::int64_t cycles = 0, last_accept = kUnset, last_result = kUnset;
  double seconds = 0;
  std::string failure;
};

std::string hex(const Word* words) {
  std::ostringstream text;
  text << "0x" << std::hex;
  for (std::size_t i = kOutputWords; i-- > 0;) {
    text.width(8);
    text.fill('0');
    text << words[i];
  }
  return text.str();
}

class Player {
 public:
  explicit Player(const Plan& plan, const Rows& beats) : plan_(plan), patterns_(plan.patterns), beats_(beats) {
    context_.randReset(2);
    context_.randSeed(1);
    dut_ = std::make_unique<Vtop>(&context_);
    select_variant(*dut_, 0);
  }
  ~Player() { dut_->final(); }

#if VM_COVERAGE
  void write_coverage(const std::string& path) { context_.coveragep()->write(path); }
#endif

  Vtop& dut() { return *dut_; }

  // Plays a segment. take(result, what its item met, seen before it) says whether to go on.
  template <class Take>
  Report play(const Segment& s, Take&& take) {
    Report report;
    if (s.reset > 0 && !reset(s.reset, report)) return report;
    Vtop& dut = *dut_;
    Pattern& offer = patterns_.at(s.offer);
    Pattern& open = patterns_.at(s.take);
    offer.restart();
    open.restart();
    const Word* const filler = beats_[0] + 1;
    Word held[kOutputWords];
    Word value[kOutputWords];
    bool is_held = false, offering = false, idle = false;
    std::size_t beat = 0, ended = 0;
    std::int64_t quiet = 0, drained = 0;
    const Word* row = nullptr;
    std::vector<std::uint8_t> met(s.items + 1);  // of the items that are accepted, and of the one that is coming
    met[0] = s.reset > 0 ? kAfterReset : 0;
    bool begins = true;
    while (true) {
      if (s.cut > 0 && report.cycles == s.cut) {
        if (s.must_offer != 0 && !is_held) {
          report.failure = std::string(kOutValid) + " stays low while " + kOutReady +
                           " is low; an offer must not wait for it";
        } else if (static_cast<std::int64_t>(beat) < s.must_take) {
          report.failure = std::to_string(beat) + " beats were taken while no result was; the description promises " +
                           std::to_string(s.must_take);
        }
        break;
      }
      const bool complete = beat == s.beats && report.seen >= s.items;
      if (complete && s.cut <= 0 && drained++ == plan_.drain) break;
      if (!offering) {
        if (beat < s.beats && offer.next()) {
          row = beats_[s.first_beat + beat];
          set_inputs(dut, row + 1);
          set_valid(dut, true);
          offering = true;
          if (idle) met[ended] |= kBubble;
          if (begins && !idle && report.last_accept == report.cycles - 1 && report.cycles > 0) met[ended] |= kBackToBack;
          idle = begins = false;
        } else if (!idle) {
          set_inputs(dut, filler);
          set_valid(dut, false);
          idle = true;
        }
      }
      const bool taking = complete || open.next();
      set_ready(dut, taking);
      set_clock(dut, false);
      dut.eval();
      const bool accepted = offering && get_ready(dut);
      const bool valid = get_valid(dut);
      if (accepted) {
        begins = row[0] != 0;
        ended += row[0];
        ++beat;
        offering = false;
        report.last_accept = report.cycles;
      } else if (offering) {
        met[ended] |= kStalled;
        ++report.refused;
      }
      if (valid) {
        get_outputs(dut, value);
        if (is_held && std::memcmp(value, held, sizeof held) != 0) {
          report.failure = "a result changed from " + hex(held) + " to " + hex(value) + " while " + kOutValid +
                           " was high and " + kOutReady + " low; it must stay until it is taken";
          break;
        }
        is_held = !taking;
        if (taking) {
          if (report.seen == ended && report.seen < s.items) {
            report.failure = "a result came before the last beat of its item was accepted";
            break;
          }
          report.last_result = report.cycles;
          std::uint8_t events = report.seen < s.items ? met[report.seen] : 0;
          if ((events & (kBubble | kStalled)) == 0) events |= kFlowing;
          if (!take(value, events, report.seen++)) break;
        } else {
          if (report.seen < s.items) met[report.seen] |= kStalled;
          std::memcpy(held, value, sizeof held);
        }
      } else if (is_held) {
        report.failure = std::string(kOutValid) + " fell before " + hex(held) +
                         " was taken; an offered result must stay until it is taken";
        break;
      }
      set_clock(dut, true);
      dut.eval();
      ++report.cycles;
      quiet = accepted || (valid && taking) ? 0 : quiet + 1;
      if (quiet == plan_.watchdog && !complete && s.cut <= 0) {
        report.failure = "hung: no transfer for " + std::to_string(quiet) + " clock cycles; " + kInReady + " is " +
                         (get_ready(dut) ? "1" : "0") + ", " + kOutValid + " is " + (get_valid(dut) ? "1" : "0");
        break;
      }
    }
    report.accepted = beat;
    if (report.failure.empty() && s.full_rate != 0 && report.refused > 0) {
      report.failure = std::string(kInReady) + " was low in " + std::to_string(report.refused) +
                       " clock cycles although every result was taken at once; the unit promises one beat a cycle";
    }
    if (report.failure.empty() && s.latency >= 0 && report.last_result - report.last_accept != s.latency) {
      report.failure = "latency: the result came " + std::to_string(report.last_result - report.last_accept) +
                       " cycles after its last beat; the description promises " + std::to_string(s.latency);
    }
    return report;
  }

 private:
  // Holds the reset with nothing offered and nothing taken; false if valid is not 0 in it.
  bool reset(std::int64_t cycles, Report& report) {
    Vtop& dut = *dut_;
    set_ties(dut);
    set_inputs(dut, beats_[0] + 1);
    set_valid(dut, false);
    set_ready(dut, false);
    set_reset(dut, true);
    for (std::int64_t i = 0; i < cycles; ++i) {
      set_clock(dut, false);
      dut.eval();
      if (i > 0 && get_valid(dut)) {
        report.failure = std::string("reset: ") + kOutValid + " is 1 in reset; it must be 0 after one clock edge";
        return false;
      }
      set_clock(dut, true);
      dut.eval();
    }
    set_reset(dut, false);
    return true;
  }

  const Plan& plan_;
  std::vector<Pattern> patterns_;
  const Rows& beats_;
  VerilatedContext context_;
  std::unique_ptr<Vtop> dut_;
};

// Processor seconds.
double now() {
  struct timespec time {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

void check(const Plan& plan, const Rows& beats) {
  for (const Segment& s : plan.segments) {
    if (s.first_beat + s.beats > beats.count() || s.offer >= plan.patterns.size() || s.take >= plan.patterns.size()) {
      throw std::runtime_error("the plan does not fit the beats");
    }
  }
}

void play(const char* plan_path, const char* beats_path, const char* results_path, const char* met_path) {
  const Plan plan(plan_path);
  const Rows beats(beats_path, kRowWords);
  check(plan, beats);
  std::ofstream results(results_path, std::ios::binary), met(met_path, std::ios::binary);
  Player player(plan, beats);
  std::vector<Word> taken;
  std::vector<std::uint8_t> events;
  for (const Segment& s : plan.segments) {
    taken.clear();
    taken.reserve((s.items + 64) * kOutputWords);
    events.clear();
    const double began = now();
    Report report = player.play(s, [&](const Word* value, std::uint8_t what, std::size_t) {
      events.push_back(what);
      taken.insert(taken.end(), value, value + kOutputWords);
      return true;
    });
    results.write(reinterpret_cast<const char*>(taken.data()),
                  static_cast<std::streamsize>(taken.size() * sizeof(Word)));
    met.write(reinterpret_cast<const char*>(events.data()), static_cast<std::streamsize>(events.size()));
    report.seconds = now() - began;
    std::cout << "{\"accepted\": " << report.accepted << ", \"seen\": " << report.seen
              << ", \"cycles\": " << report.cycles << ", \"seconds\": " << report.seconds << ", \"failure\": \""
              << report.failure << "\"}\n";
  }
#if VM_COVERAGE
  player.write_coverage(std::string(results_path) + ".coverage");
#endif
  results.close();
  met.close();
  if (!results || !met) throw std::runtime_error(std::string("cannot write ") + results_path);
}

void kill(const char* plan_path, const char* beats_path, const char* expected_path,
          const std::vector<unsigned>& variants) {
  const Plan plan(plan_path);
  const Rows beats(beats_path, kRowWords);
  const Rows expected(expected_path, kOutputWords);
  check(plan, beats);
  for (const unsigned variant : variants) {
    Player player(plan, beats);
    select_variant(player.dut(), variant);
    std::int64_t killed_by = kUnset, item = kUnset;
    std::string failure;
    for (std::size_t number = 0; number < plan.segments.size() && killed_by == kUnset; ++number) {
      const Segment& s = plan.segments[number];
      const Report report = player.play(s, [&](const Word* value, std::uint8_t, std::size_t seen) {
        const bool right = seen < s.items && std::memcmp(value, expected[s.first_item + seen],
                                                         kOutputWords * sizeof(Word)) == 0;
        if (!right) item = static_cast<std::int64_t>(seen);
        return right;
      });
      failure = report.failure;
      if (item != kUnset || !failure.empty()) killed_by = static_cast<std::int64_t>(number);
    }
    std::cout << "{\"variant\": " << variant << ", \"segment\": " << killed_by << ", \"item\": " << item
              << ", \"failure\": \"" << failure << "\"}" << std::endl;
  }
}

void bare(const char* beats_path, unsigned rounds) {
  const Rows beats(beats_path, kRowWords);
  VerilatedContext context;
  Vtop dut(&context);
  set_ties(dut);
  set_reset(dut, false);
  set_valid(dut, true);
  set_ready(dut, true);
  Word value[kOutputWords];
  Word mixed = 0;
  const std::size_t count = beats.count() - 1;
  const double began = now();
  for (unsigned round = 0; round < rounds; ++round) {
    for (std::size_t beat = 1; beat <= count; ++beat) {
      set_inputs(dut, beats[beat] + 1);
      set_clock(dut, false);
      dut.eval();
      get_outputs(dut, value);
      mixed ^= value[0];
      set_clock(dut, true);
      dut.eval();
    }
  }
  std::cout << "{\"beats\": " << count * rounds << ", \"seconds\": " << now() - began << ", \"mixed\": " << mixed
            << "}\n";
  dut.final();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  try {
    if (mode == "play" && argc == 6) {
      play(argv[2], argv[3], argv[4], argv[5]);
    } else if (mode == "kill" && argc > 5) {
      std::vector<unsigned> variants;
      for (int i = 5; i < argc; ++i) variants.push_back(static_cast<unsigned>(std::stoul(argv[i])));
      kill(argv[2], argv[3], argv[4], variants);
    } else if (mode == "bare" && argc == 4) {
      bare(argv[2], static_cast<unsigned>(std::stoul(argv[3])));
    } else {
      throw std::runtime_error("no such mode");
    }
  } catch (const std::exception& error) {
    std::cerr << "driver: " << error.what() << "\n";
    return 2;
  }
  return 0;
}
