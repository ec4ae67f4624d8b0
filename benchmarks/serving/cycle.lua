-- wrk script: sends the bodies of a file, one a line, in turn; ends with one line of figures for closed_loop.py.
-- Arguments after `--`: PATH of the URL, FILE of bodies, the number of the first one.

local requests, at = {}, 0

function init(arguments)
   local headers = { ["Content-Type"] = "application/json" }
   for body in io.lines(arguments[2]) do
      requests[#requests + 1] = wrk.format("POST", arguments[1], headers, body)
   end
   at = tonumber(arguments[3])
end

function request()
   at = at % #requests + 1
   return requests[at]
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      "figures %d %d %d %d %d %d %d %d %d\n",
      summary.requests, summary.duration, errors.status, errors.connect, errors.read + errors.write, errors.timeout,
      latency:percentile(50), latency:percentile(90), latency:percentile(99)))
end
