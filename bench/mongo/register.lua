-- Each request registers another instance, as instances.mjs describes it. Argument after `--`: the first one's number.
function init(arguments)
  index = tonumber(arguments[1])
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  local service = "service-" .. (index % 10)
  local address = string.format("http://127.%d.%d.%d:8080/",
    1 + math.floor(index / 65536), math.floor(index / 256) % 256, index % 256)
  local body = string.format(
    '{"url":"/%s","endpoints":[{"type":"http","url":"%s"}],"authorizedRoles":[],"lease":{"ttlMs":600000},"runId":"bench"}',
    service, address)
  local path = string.format("/v1/services/%s/instances/instance-%d", service, index)
  index = index + 1
  return wrk.format("PUT", path, nil, body)
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    '{"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"failed":%d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
