// A collector as a careful programmer writes it in Node.js, with the usual packages: ws, ioredis with automatic pipelining,
// prom-client, pino. It reads GMO Coin's frames and writes the same entries to the same Redis streams as mdpipe. It does not have
// mdpipe's further guarantees (exactly once, feed states, a spool), and does not pay for them.
'use strict';

const http = require('node:http');
const { performance } = require('node:perf_hooks');
const Redis = require('ioredis');
const pino = require('pino');
const prometheus = require('prom-client');
const WebSocket = require('ws');

const url = process.env.WS_URL;
const symbols = process.env.SYMBOLS.split(',');
const maxlen = Number(process.env.MAXLEN ?? 100000);
const maxlenOfBooks = Number(process.env.MAXLEN_BOOKS ?? 20000);
const metricsPort = Number(process.env.METRICS_PORT ?? 0);
const metricsOn = process.env.ENABLE_METRICS !== 'false';
const requestSpacingMs = 1050; // GMO Coin allows one request a second
const windowMs = 10000;
// Entries that Redis has not confirmed: reading pauses at the first number and continues at the second.
const outstandingMax = 10000;
const outstandingLow = 5000;

const log = pino({ name: 'node-collector' });
const redis = new Redis(process.env.REDIS_URL, { enableAutoPipelining: true });
redis.on('error', (error) => log.error({ err: error }, 'Redis'));

const latencyBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const byFeed = ['exchange', 'channel', 'symbol'];
const byStream = ['exchange', 'stream', 'symbol'];
const received = new prometheus.Counter({ name: 'collector_messages_received_total', help: 'Events read.', labelNames: byFeed });
const receivedBytes = new prometheus.Counter({ name: 'collector_received_bytes_total', help: 'Bytes of them.', labelNames: byFeed });
const published = new prometheus.Counter({ name: 'collector_messages_published_total', help: 'Events in Redis.', labelNames: byStream });
const errors = new prometheus.Counter({ name: 'collector_errors_total', help: 'Errors by kind.', labelNames: ['error_type'] });
const lastMessage = new prometheus.Gauge({ name: 'collector_last_message_timestamp_seconds', help: 'Time of the last event.', labelNames: byFeed });
const publishLatency = new prometheus.Histogram({ name: 'collector_publish_latency_seconds', help: 'Frame read to event in Redis.', labelNames: ['exchange', 'stream'], buckets: latencyBuckets });
const exchangeLatency = new prometheus.Histogram({ name: 'collector_exchange_latency_seconds', help: "Exchange's time to frame read.", labelNames: ['exchange', 'channel'], buckets: latencyBuckets });
prometheus.collectDefaultMetrics();

const types = { trades: 'trade', ticker: 'ticker', orderbooks: 'orderbook' };

// Values that are the same for all events of a channel and symbol are looked up once.
const feeds = new Map();
function feedOf(channel, symbol) {
  const key = channel + '\0' + symbol;
  let feed = feeds.get(key);
  if (feed === undefined) {
    const type = types[channel];
    const stream = 'md:' + type;
    feed = {
      type, symbol, stream,
      maxlen: type === 'orderbook' ? maxlenOfBooks : maxlen,
      received: received.labels('gmo', type, symbol),
      receivedBytes: receivedBytes.labels('gmo', type, symbol),
      published: published.labels('gmo', stream, symbol),
      lastMessage: lastMessage.labels('gmo', type, symbol),
      publishLatency: publishLatency.labels('gmo', stream),
      exchangeLatency: exchangeLatency.labels('gmo', type),
    };
    feeds.set(key, feed);
  }
  return feed;
}

const wanted = new Set(symbols);
let socket;
let seq = 0;
let outstanding = 0;
let paused = false;
let stopping = false;
const span = { received: 0, published: 0, errors: 0 }; // of this window

function onError(kind, error) {
  ++span.errors;
  errors.inc({ error_type: kind });
  if (span.errors === 1) log.error({ err: error }, kind);
}

function levels(side) {
  return JSON.stringify(side.map((level) => [level.price, level.size]));
}

function add(feed, event, ts, recv) {
  const { stream } = feed;
  ++seq;
  switch (feed.type) {
    case 'trade':
      return redis.xadd(stream, 'MAXLEN', '~', feed.maxlen, '*', 'type', 'trade', 'exchange', 'gmo', 'symbol', feed.symbol,
        'ts', ts, 'recv', recv, 'seq', seq, 'price', event.price, 'size', event.size, 'side', event.side === 'BUY' ? 'buy' : 'sell');
    case 'ticker':
      return redis.xadd(stream, 'MAXLEN', '~', feed.maxlen, '*', 'type', 'ticker', 'exchange', 'gmo', 'symbol', feed.symbol,
        'ts', ts, 'recv', recv, 'seq', seq, 'bid', event.bid, 'ask', event.ask, 'last', event.last, 'high', event.high,
        'low', event.low, 'volume', event.volume);
    default:
      return redis.xadd(stream, 'MAXLEN', '~', feed.maxlen, '*', 'type', 'orderbook', 'exchange', 'gmo', 'symbol', feed.symbol,
        'ts', ts, 'recv', recv, 'seq', seq, 'kind', 'snapshot', 'bids', levels(event.bids), 'asks', levels(event.asks));
  }
}

function settle() {
  --outstanding;
  if (paused && outstanding <= outstandingLow) {
    paused = false;
    socket.resume();
  }
}

function onMessage(data) {
  const now = performance.timeOrigin + performance.now(); // ms, with a fraction
  let event;
  try {
    event = JSON.parse(data);
  } catch (error) {
    return onError('parse_error', error);
  }
  if (types[event.channel] === undefined || !wanted.has(event.symbol)) return onError('api_error', event);
  const feed = feedOf(event.channel, event.symbol);
  const ts = Date.parse(event.timestamp);
  if (metricsOn) {
    feed.received.inc();
    feed.receivedBytes.inc(data.length);
    feed.lastMessage.set(now / 1000);
    feed.exchangeLatency.observe((now - ts) / 1000);
    ++span.received;
  }
  ++outstanding;
  // ns as text, as mdpipe writes them; a double holds us exactly.
  add(feed, event, ts + '000000', Math.round(now * 1000) + '000').then(() => {
    settle();
    if (!metricsOn) return;
    feed.published.inc();
    feed.publishLatency.observe((performance.timeOrigin + performance.now() - now) / 1000);
    ++span.published;
  }, (error) => {
    settle();
    onError('publish_error', error);
  });
  if (!paused && outstanding >= outstandingMax) {
    paused = true;
    socket.pause();
  }
}

function subscribe() {
  const requests = symbols.flatMap((symbol) => Object.keys(types).map((channel) => (
    { command: 'subscribe', channel, symbol, ...(channel === 'trades' ? { option: 'TAKER_ONLY' } : {}) })));
  const own = socket;
  const next = () => {
    if (requests.length === 0 || own.readyState !== WebSocket.OPEN) return;
    own.send(JSON.stringify(requests.shift()));
    setTimeout(next, requestSpacingMs);
  };
  next();
}

function connect() {
  socket = new WebSocket(url);
  socket.on('open', () => {
    log.info({ url }, 'connected');
    subscribe();
  });
  socket.on('message', onMessage);
  socket.on('error', (error) => onError('connection_error', error));
  socket.on('close', (code) => {
    paused = false;
    if (stopping) return;
    log.warn({ code }, 'connection lost');
    setTimeout(connect, 1000);
  });
}

setInterval(() => {
  log.info({ metrics: { ...span, outstanding, window_seconds: windowMs / 1000 } }, 'metrics');
  Object.assign(span, { received: 0, published: 0, errors: 0 });
}, windowMs);

const server = http.createServer(async (request, response) => {
  if (request.url === '/metrics') {
    response.setHeader('Content-Type', prometheus.register.contentType);
    response.end(await prometheus.register.metrics());
  } else if (request.url === '/healthz') {
    response.statusCode = redis.status === 'ready' && socket.readyState === WebSocket.OPEN ? 200 : 503;
    response.end(response.statusCode === 200 ? 'ok' : 'not connected');
  } else {
    response.statusCode = 404;
    response.end();
  }
});
server.listen(metricsPort, '127.0.0.1', () => log.info({ metrics_port: server.address().port }, 'listening'));

process.on('SIGTERM', () => {
  stopping = true;
  socket.close();
  const end = setInterval(() => {
    if (outstanding > 0) return;
    clearInterval(end);
    redis.disconnect();
    process.exit(0);
  }, 10);
});

redis.once('ready', connect);
