-- next and previous in turn, so that the values stay short; the yardstick gets the same requests. Both are written once:
-- what wrk does for each costs the rate of the fastest server.
local requests
local turn = 2
init = function()
  requests = { wrk.format("GET", "/api0/next"), wrk.format("GET", "/api0/previous") }
end
request = function()
  turn = 3 - turn
  return requests[turn]
end
