#include "md-publisher/cluster/cluster_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "md-publisher/resp.hpp"
#include "md-publisher/source_ledger.hpp"

namespace mdpipe::publisher {
namespace {

using std::chrono::milliseconds;

// A node that does not say who has which slot within that time is passed over.
constexpr milliseconds kMapAnswerMax{1'000};
constexpr milliseconds kLookInterval{1'000};
constexpr milliseconds kClusterPauseMax{500};  // between two tries; a failover takes seconds anyway
constexpr unsigned kRedirectsMax = 5;          // one after the other without a pause
constexpr std::string_view kWaitMillis = "500";

}  // namespace

// Answers of its node go to judge(); what follows is the same for all kinds.
class ClusterWriter::Job : public NodeClient {
 public:
  Job(ClusterWriter& writer, std::uint16_t slot) : writer_(writer), slot_(slot) {}

  [[nodiscard]] std::uint16_t slot() const { return slot_; }
  // Adds the next commands; returns the number of their answers, 0 where all is done.
  virtual std::size_t prepare(std::string& out) = 0;
  virtual Shard::Next judge(const Reply& reply) = 0;
  [[nodiscard]] virtual RefusedCommand refused() const = 0;
  // Answers were not heard.
  virtual void forget() {}
  virtual void finish() { writer_.on_done(*this); }

  void on_reply(const Reply& reply) override {
    if (std::exchange(expects_asking_, false)) return;  // +OK of ASKING
    if (waits_for_replicas_) return on_replicas(reply);
    const Shard::Next next = judge(reply);
    if (next == Shard::Next::More) return;
    const unsigned replicas = writer_.options_.wait_replicas;
    if (next == Shard::Next::Refused) {
      is_refused_ = true;
    } else if (next == Shard::Next::Done) {
      is_done_ = true;
    }
    if (replicas > 0) {
      waits_for_replicas_ = true;  // its answer comes next
      return;
    }
    proceed();
  }

  void on_node_lost(const std::string& why, const std::optional<RefusedCommand>& refused) override {
    reset();
    forget();
    writer_.on_late(*this, why, refused);
  }

  void reset() { expects_asking_ = waits_for_replicas_ = is_refused_ = is_done_ = false; }

  HostPort node;                // where it was sent
  std::optional<HostPort> ask;  // where it goes once, with ASKING
  unsigned redirects = 0;

 private:
  friend class ClusterWriter;

  void on_replicas(const Reply& reply) {
    const unsigned replicas = writer_.options_.wait_replicas;
    if (!is_refused_ && (reply.is_error() || reply.integer < static_cast<long long>(replicas))) {
      const std::string late =
          reply.is_error() ? reply.text : fmt::format("{} of {} replicas hold it", reply.integer, replicas);
      writer_.events_.on_refused(
          {reply.is_error() ? classify(reply.text) : Refusal::NoReplicas, late, "WAIT", {}}, milliseconds(0));
      writer_.is_late_ = true;
      commands_.clear();
      resp::append_command(commands_, "WAIT", std::to_string(replicas), kWaitMillis);
      return writer_.node(node).ask(*this, commands_, 1);
    }
    proceed();
  }

  void proceed() {
    const bool is_refused = is_refused_, is_done = is_done_;
    reset();
    if (is_refused) return writer_.on_refused(*this, refused());
    if (is_done) return finish();
    writer_.begin(*this);
  }

  ClusterWriter& writer_;
  std::uint16_t slot_;
  std::string commands_;
  bool expects_asking_ = false, waits_for_replicas_ = false, is_refused_ = false, is_done_ = false;
};

class ClusterWriter::ShardJob final : public Job {
 public:
  ShardJob(ClusterWriter& writer, std::string cursor_key, std::uint16_t slot)
      : Job(writer, slot), shard(std::move(cursor_key), slot), writer_(writer) {}

  std::size_t prepare(std::string& out) override {
    if (shard.take_loss()) {
      for (const RedisKey* key : keys) writer_.events_.on_stream_lost(*key);
    }
    return shard.prepare(*writer_.in_flight_, writer_.round_, out);
  }
  Shard::Next judge(const Reply& reply) override {
    return shard.on_reply(reply, *writer_.in_flight_, writer_.outcome_);
  }
  [[nodiscard]] RefusedCommand refused() const override { return shard.refused(); }
  void forget() override { shard.forget(); }

  Shard shard;
  std::vector<const RedisKey*> keys;

 private:
  ClusterWriter& writer_;
};

class ClusterWriter::HashJob final : public Job {
 public:
  HashJob(ClusterWriter& writer, std::string hash)
      : Job(writer, slot_of(hash)), key(std::move(hash)), writer_(writer) {}

  std::size_t prepare(std::string& out) override {
    out += command;
    return 1;
  }
  // As often as it takes: it sets values.
  Shard::Next judge(const Reply& reply) override {
    if (reply.is_error()) {
      refused_ = {classify(reply.text), reply.text, is_question ? "HGETALL" : "HSET", key};
      return Shard::Next::Refused;
    }
    if (is_question) writer_.on_cursors_read(reply);
    return Shard::Next::Done;
  }
  [[nodiscard]] RefusedCommand refused() const override { return refused_; }
  void finish() override {
    if (std::exchange(is_question, false)) return writer_.events_.on_ready(writer_.read_);
    Job::finish();
  }

  std::string key, command;
  bool is_question = false;

 private:
  ClusterWriter& writer_;
  RefusedCommand refused_;
};

class ClusterWriter::MapJob final : public NodeClient {
 public:
  explicit MapJob(ClusterWriter& writer) : writer_(writer) {}
  void on_reply(const Reply& reply) override {
    if (reply.is_error()) {
      why = reply.text;
      return writer_.on_map({}, asked);
    }
    writer_.on_map(reply.text, asked);
  }
  void on_node_lost(const std::string& reason, const std::optional<RefusedCommand>& refusal) override {
    why = reason;
    refused = refusal;
    writer_.on_map({}, asked);
  }
  HostPort asked;
  std::string why;
  std::optional<RefusedCommand> refused;

 private:
  ClusterWriter& writer_;
};

ClusterWriter::ClusterWriter(asio::io_context& io, RedisOptions options, RedisEvents events)
    : io_(io),
      options_(std::move(options)),
      events_(std::move(events)),
      states_(std::make_unique<HashJob>(*this, options_.state_key)),
      cursors_(std::make_unique<HashJob>(*this, options_.cursor_key)),
      map_job_(std::make_unique<MapJob>(*this)),
      retry_timer_(io),
      map_timer_(io),
      look_timer_(io) {
  round_.publisher = "publisher/" + options_.source;
  round_.life = static_cast<std::uint64_t>(wall_now().count);
}

ClusterWriter::~ClusterWriter() = default;

void ClusterWriter::start() {
  ask_for_map();
  look_around();
}

void ClusterWriter::stop() {
  stopped_ = true;
  is_ready_ = false;
  retry_timer_.cancel();
  map_timer_.cancel();
  look_timer_.cancel();
  for (const auto& [name, node] : nodes_) node->stop();
}

// --- one transaction

void ClusterWriter::write(Transaction& transaction) {
  in_flight_ = &transaction;
  ++round_.number;
  outcome_ = Outcome();
  split(transaction);
  pending_ = active_.size();
  if (!transaction.states().empty()) {
    ++pending_;
    states_->command.clear();
    resp::append_array(2 + 2 * transaction.states().size(), states_->command);
    resp::append_bulk("HSET", states_->command);
    resp::append_bulk(states_->key, states_->command);
    for (const auto& [field, value] : transaction.states()) {
      resp::append_bulk(field, states_->command);
      resp::append_bulk(value, states_->command);
    }
    begin(*states_);
  }
  if (pending_ == 0) return write_cursors();
  for (ShardJob* job : std::vector<ShardJob*>(active_)) begin(*job);
}

void ClusterWriter::split(const Transaction& transaction) {
  active_.clear();
  std::size_t offset = transaction.first_entry_offset();
  const auto& batches = transaction.batches();
  auto next_batch = batches.begin();
  const Transaction::Batch* batch = nullptr;
  for (std::size_t i = 0; i < transaction.entries().size(); ++i) {
    while (next_batch != batches.end() && next_batch->first_entry <= i) batch = &*next_batch++;
    const Transaction::Entry& entry = transaction.entries()[i];
    ShardJob& job = shard_of(*entry.stream->key);
    if (job.shard.empty()) active_.push_back(&job);
    job.shard.add(i, offset, batch);
    offset += entry.bytes;
  }
}

ClusterWriter::ShardJob& ClusterWriter::shard_of(const RedisKey& key) {
  if (key.id >= shard_of_key_.size()) shard_of_key_.resize(key.id + 1);
  ShardJob*& job = shard_of_key_[key.id];
  if (job == nullptr) {
    auto& shard = shards_[std::string(hash_tag(key.name))];
    if (!shard)
      shard = std::make_unique<ShardJob>(*this, cursor_key_beside(options_.cursor_key, key.name),
                                         slot_of(key.name));
    shard->keys.push_back(&key);
    job = shard.get();
  }
  return *job;
}

void ClusterWriter::begin(Job& job) {
  commands_.clear();
  const bool is_asking = job.ask.has_value();
  if (is_asking) resp::append_command(commands_, "ASKING");
  std::size_t answers = job.prepare(commands_);
  if (answers == 0) return job.finish();
  const HostPort* owner = is_asking ? &*job.ask : slots_.owner(job.slot());
  if (owner == nullptr) return on_late(job, "no node has the slot", std::nullopt);
  if (options_.wait_replicas > 0) {
    resp::append_command(commands_, "WAIT", std::to_string(options_.wait_replicas), kWaitMillis);
    ++answers;
  }
  job.node = *owner;
  job.ask.reset();
  job.expects_asking_ = is_asking;
  node(job.node).ask(job, commands_, answers + (is_asking ? 1 : 0));
}

void ClusterWriter::on_done(Job& job) {
  job.redirects = 0;
  failures_ = 0;
  if (&job == cursors_.get()) return commit();
  if (--pending_ == 0) write_cursors();
}

void ClusterWriter::on_refused(Job& job, const RefusedCommand& refused) {
  if (const auto redirect = parse_redirect(refused.error)) {
    HostPort to = redirect->to;
    if (to.host.empty()) to.host = job.node.host;
    if (!redirect->is_ask) forget_cursors();
    redirect->is_ask ? static_cast<void>(job.ask = to) : slots_.move(redirect->slot, to);
    if (++job.redirects <= kRedirectsMax) return begin(job);
    return try_again_later(job);
  }
  if (options_.no_retry) return events_.on_gave_up(refused.error);
  is_late_ = true;
  try_again_later(job);
  events_.on_refused(refused, kClusterPauseMax);
}

void ClusterWriter::on_late(Job& job, const std::string& why, const std::optional<RefusedCommand>& refused) {
  if (stopped_) return;
  if (options_.no_retry) return events_.on_gave_up(why);
  is_late_ = true;
  try_again_later(job);
  events_.on_late({why, kClusterPauseMax, refused});
}

void ClusterWriter::try_again_later(Job& job) {
  job.redirects = 0;
  waiting_.push_back(&job);
  if (waiting_.size() > 1) return;
  retry_timer_.expires_after(retry_delay(RetryPolicy::Reconnect, failures_++, kClusterPauseMax));
  retry_timer_.async_wait([this](const asio::error_code& ec) {
    if (ec) return;
    ask_for_map();
    for (Job* waiting : std::exchange(waiting_, {})) begin(*waiting);
  });
}

void ClusterWriter::write_cursors() {
  const auto& cursors = in_flight_->cursors();
  if (cursors.empty()) return commit();
  cursors_->command.clear();
  resp::append_array(2 + 2 * cursors.size(), cursors_->command);
  resp::append_bulk("HSET", cursors_->command);
  resp::append_bulk(cursors_->key, cursors_->command);
  for (const auto& [source, cursor] : cursors) {
    resp::append_bulk(source, cursors_->command);
    resp::append_bulk(format_cursor(cursor.epoch, cursor.seq), cursors_->command);
  }
  begin(*cursors_);
}

void ClusterWriter::commit() {
  for (ShardJob* job : active_) job->shard.end_round();
  active_.clear();
  is_late_ = false;
  // In the order of the entries, as those of one Redis come.
  std::sort(outcome_.refused.begin(), outcome_.refused.end(),
            [](const RefusedEntry& a, const RefusedEntry& b) { return a.entry < b.entry; });
  outcome_.refused.erase(
      std::unique(outcome_.refused.begin(), outcome_.refused.end(),
                  [](const RefusedEntry& a, const RefusedEntry& b) { return a.entry == b.entry; }),
      outcome_.refused.end());
  const Transaction& transaction = *std::exchange(in_flight_, nullptr);
  const Outcome outcome = std::move(outcome_);
  events_.on_committed(transaction, outcome);
}

// --- the Cluster

// Another node may have less than what was confirmed: each shard looks before it is written again.
void ClusterWriter::forget_cursors() {
  for (const auto& [tag, job] : shards_) job->forget();
}

void ClusterWriter::on_cursors_read(const Reply& reply) {
  read_.clear();
  for (std::size_t i = 0; i + 1 < reply.element_count; i += 2)
    read_.emplace_back(reply.elements[i].text, reply.elements[i + 1].text);
  is_ready_ = true;
  is_late_ = false;
}

void ClusterWriter::ask_for_map() {
  if (is_asking_map_ || stopped_) return;
  is_asking_map_ = true;
  const auto& known = slots_.nodes();
  const auto& seeds = options_.address.cluster;
  const std::size_t at = asked_++ % (known.size() + seeds.size());
  map_job_->asked = at < known.size() ? known[at] : seeds[at - known.size()];
  node(map_job_->asked).ask(*map_job_, "*2\r\n$7\r\nCLUSTER\r\n$5\r\nNODES\r\n", 1);
  map_timer_.expires_after(kMapAnswerMax);
  map_timer_.async_wait([this](const asio::error_code& ec) {
    if (!ec) node(map_job_->asked).close("no answer to CLUSTER NODES within a second");
  });
}

void ClusterWriter::on_map(const std::string& nodes, const HostPort& asked) {
  if (stopped_) return;
  is_asking_map_ = false;
  map_timer_.cancel();
  const bool is_good = !nodes.empty() && slots_.read(nodes, asked);
  if (is_good) {
    // Who has no slot any more may hang, or take what nobody will keep.
    std::vector<ClusterNode*> left;
    for (const auto& [name, known] : nodes_) {
      const HostPort at{known->address().host, known->address().port};
      if (!slots_.has_slots(at) && !(at == asked)) left.push_back(known.get());
    }
    for (ClusterNode* node : left)
      node->close(fmt::format("{} has no slots any more", node->address().display()));
  }
  if (is_ready_ || cursors_->is_question) return;
  if (!is_good) {
    const std::string why =
        nodes.empty() ? map_job_->why : "no node has a slot: CLUSTER NODES names no master";
    if (options_.no_retry) return events_.on_gave_up(why);
    const milliseconds delay = retry_delay(RetryPolicy::Reconnect, failures_++, options_.reconnect_delay_max);
    retry_timer_.expires_after(delay);
    retry_timer_.async_wait([this](const asio::error_code& ec) {
      if (!ec) ask_for_map();
    });
    return events_.on_lost({why, delay, map_job_->refused});
  }
  cursors_->is_question = true;
  cursors_->command.clear();
  resp::append_command(cursors_->command, "HGETALL", cursors_->key);
  begin(*cursors_);
}

// A node that hangs says nothing of its end: the others do.
void ClusterWriter::look_around() {
  look_timer_.expires_after(kLookInterval);
  look_timer_.async_wait([this, round = round_.number](const asio::error_code& ec) {
    if (ec) return;
    if (is_ready_ && in_flight_ != nullptr && round == round_.number) ask_for_map();
    look_around();
  });
}

ClusterNode& ClusterWriter::node(const HostPort& at) {
  auto& found = nodes_[fmt::format("{}:{}", at.host, at.port)];
  if (!found) {
    RedisAddress address = options_.address;
    address.host = at.host;
    address.port = at.port;
    found = std::make_unique<ClusterNode>(io_, std::move(address), options_.timeout,
                                          [this] { forget_cursors(); });
  }
  return *found;
}

}  // namespace mdpipe::publisher
