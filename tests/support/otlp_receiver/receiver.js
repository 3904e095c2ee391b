// Receives OTLP/HTTP metrics and tells on standard output, a JSON line each: {"port"} when it listens, then every request with
// its headers and its decoded body. Standard input takes JSON lines that say what to do next:
//   {"answers": [ANSWER, ...]}  for the next requests, one each; then the usual one again
//   {"usual": ANSWER}           for requests that no list has an answer for
//   {"listen": false | true}    closes the port and every connection; opens the same port again
// ANSWER: {"status": 200, "headers": {}, "partial": {"rejectedDataPoints": 1, "errorMessage": ""}, "message": "", "text": "",
// "hang": false}. "message" is sent as google.rpc.Status, as OTLP wants it, "text" as it is.
'use strict';

const fs = require('fs');
const http = require('http');
const https = require('https');
const readline = require('readline');
const zlib = require('zlib');
const root = require('@opentelemetry/otlp-transformer/build/src/generated/root');
const { Writer } = require('protobufjs/minimal');

const { ExportMetricsServiceRequest, ExportMetricsServiceResponse } = root.opentelemetry.proto.collector.metrics.v1;
const [certificate, key] = process.argv.slice(2);
const sockets = new Set();
let answers = [];
let usual = {};
let port = 0;

const tell = (line) => process.stdout.write(JSON.stringify(line) + '\n');

// `surplus` is the number of bytes that the published definitions have no field for: 0 if every byte was understood.
function decode(body) {
  const message = ExportMetricsServiceRequest.decode(body);
  const surplus = body.length - ExportMetricsServiceRequest.encode(message).finish().length;
  const invalid = ExportMetricsServiceRequest.verify(message);
  return { invalid, surplus, message: ExportMetricsServiceRequest.toObject(message, { longs: String }) };
}

function bodyOf(answer, status) {
  if (answer.text !== undefined) return Buffer.from(answer.text);
  if (answer.message !== undefined) return Buffer.from(Writer.create().uint32(18).string(answer.message).finish());
  if (status !== 200) return Buffer.alloc(0);
  return Buffer.from(ExportMetricsServiceResponse.encode({ partialSuccess: answer.partial }).finish());
}

function respond(request, response, raw) {
  const answer = answers.length > 0 ? answers.shift() : usual;
  const status = answer.status || 200;
  const body = request.headers['content-encoding'] === 'gzip' ? zlib.gunzipSync(raw) : raw;
  tell({ time: performance.now() / 1000, method: request.method, path: request.url, headers: request.headers, bytes: raw.length,
    answer, body: body.toString('base64'), ...decode(body) });
  if (answer.hang) return;
  response.writeHead(status, { 'Content-Type': 'application/x-protobuf', ...answer.headers });
  response.end(bodyOf(answer, status));
}

function onRequest(request, response) {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => respond(request, response, Buffer.concat(parts)));
}

const server = certificate
  ? https.createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) }, onRequest)
  : http.createServer(onRequest);
server.on('connection', (socket) => {
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
});

function listen() {
  server.listen(port, '127.0.0.1', () => {
    port = server.address().port;
    tell({ port });
  });
}

const commands = readline.createInterface({ input: process.stdin });
commands.on('line', (line) => {
  const command = JSON.parse(line);
  if (command.answers) answers = command.answers;
  if (command.usual) usual = command.usual;
  if (command.listen === true) listen();
  if (command.listen === false) {
    server.close(() => tell({ closed: true }));
    for (const socket of sockets) socket.destroy();
  }
});
commands.on('close', () => process.exit(0));
listen();
