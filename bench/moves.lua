-- next and previous in turn, so that the values stay short, over cursors of which each is moved by two requests that
-- follow each other. Arguments: how they are told apart (default, name, cookie), how many are moved, and the file with a
-- cookie in each line.
local requests = {}
local turn = 0
local function add(method, path, headers)
  for _, move in ipairs({ "next", "previous" }) do
    requests[#requests + 1] = wrk.format(method, path .. move, headers)
  end
end
init = function(arguments)
  local how, count, file = arguments[1], tonumber(arguments[2] or 1), arguments[3]
  if how == "default" then add("POST", "/v1/cursor/") end
  if how == "name" then
    local stride = tonumber(file)
    -- In random order: names that follow each other lie together.
    local order = {}
    for i = 1, count do order[i] = (i - 1) * stride end
    for i = count, 2, -1 do
      local j = math.random(i)
      order[i], order[j] = order[j], order[i]
    end
    for _, i in ipairs(order) do add("POST", "/v1/cursors/n" .. i .. "/") end
  end
  if how == "cookie" then
    for line in io.lines(file) do add("GET", "/api0/", { Cookie = line }) end
  end
end
request = function()
  turn = turn % #requests + 1
  return requests[turn]
end
