-- next and previous in turn, so that the values stay short; the yardstick gets the same requests.
local paths = { "/api0/next", "/api0/previous" }
local turn = 0
request = function()
  turn = 3 - math.max(turn, 1)
  return wrk.format("GET", paths[turn])
end
