'use strict';
// A backend of the original StatsD server: each flush becomes a JSON line of the file that the configuration names.
const fs = require('fs');

exports.init = (startup, config, events) => {
  events.on('flush', (time, metrics) => {
    const {counters, gauges, timers, timer_counters} = metrics;
    fs.appendFileSync(config.flushFile, JSON.stringify({counters, gauges, timers, timer_counters}) + '\n');
  });
  return true;
};
