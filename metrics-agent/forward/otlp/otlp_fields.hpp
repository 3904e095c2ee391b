#pragma once
// Field numbers of opentelemetry-proto 1.x, packages metrics.v1, common.v1, resource.v1 and
// collector.metrics.v1, and of google.rpc.Status: the fields that this program writes or reads, one enum a
// message. See https://github.com/open-telemetry/opentelemetry-proto (read 2026-11-25). Pure.
#include <cstdint>

namespace mdpipe::agent::otlp {

using FieldNumber = std::uint32_t;

enum class ExportRequest : FieldNumber { ResourceMetrics = 1 };
enum class ResourceMetrics : FieldNumber { Resource = 1, ScopeMetrics = 2 };
enum class Resource : FieldNumber { Attributes = 1 };
enum class ScopeMetrics : FieldNumber { Scope = 1, Metrics = 2 };
enum class Scope : FieldNumber { Name = 1, Version = 2 };
enum class Metric : FieldNumber {
  Name = 1,
  Description = 2,
  Unit = 3,
  Gauge = 5,
  Sum = 7,
  Histogram = 9,
  ExponentialHistogram = 10,
};
// Gauge, Sum, Histogram and ExponentialHistogram share these numbers; a gauge has points only.
enum class Data : FieldNumber { Points = 1, Temporality = 2, IsMonotonic = 3 };
enum class NumberPoint : FieldNumber { StartTime = 2, Time = 3, Double = 4, Integer = 6, Attributes = 7 };
enum class HistogramPoint : FieldNumber {
  StartTime = 2,
  Time = 3,
  Count = 4,
  Sum = 5,
  BucketCounts = 6,
  Bounds = 7,
  Attributes = 9,
};
enum class ExponentialPoint : FieldNumber {
  Attributes = 1,
  StartTime = 2,
  Time = 3,
  Count = 4,
  Sum = 5,
  Scale = 6,
  ZeroCount = 7,
  Positive = 8,
};
enum class Buckets : FieldNumber { Offset = 1, Counts = 2 };
enum class KeyValue : FieldNumber { Key = 1, Value = 2 };
enum class AnyValue : FieldNumber { String = 1 };

enum class ExportResponse : FieldNumber { PartialSuccess = 1 };
enum class PartialSuccess : FieldNumber { RejectedPoints = 1, Message = 2 };
enum class Status : FieldNumber { Message = 2 };

}  // namespace mdpipe::agent::otlp
