-- Small tasks, each another one, also in the next run: the same twice would be one task.
local start = os.time() * 1000000
local turn = 0
request = function()
  turn = turn + 1
  local body = string.format('{"kind":"ackermann","m":"2","n":"%d"}', start + turn)
  return wrk.format("POST", "/v1/tasks", nil, body)
end
