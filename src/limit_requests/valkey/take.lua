-- Takes a request from all counts or from none, with the arithmetic of `bucket.rs` in microseconds of the server's clock.
--
-- KEYS: the counts. ARGV: the cost, and for each count its requests and its terms: the interval of a rate in microseconds, or the period of
-- a quota, `day` or `month`.
-- Returns `1` or `0`, if there is room in all or not; the server's time in seconds and microseconds; and what is stored of each count.
--
-- A number of Lua is exact below 2^53, which microseconds reach in 2255. `tostring` would round it.

local floor = math.floor

local function digits(number)
    return string.format('%.0f', number)
end

-- The months since 1970 of a day since then. Years begin in March here, so that a leap day is the last one.
local function month_of(day)
    local shifted = day + 719468
    local era = floor(shifted / 146097)
    local in_era = shifted - era * 146097
    local year = floor((in_era - floor(in_era / 1460) + floor(in_era / 36524) - floor(in_era / 146096)) / 365)
    local in_year = in_era - (365 * year + floor(year / 4) - floor(year / 100))
    return (era * 400 + year) * 12 + floor((5 * in_year + 2) / 153) - 23638
end

-- The first day of a month, the other way round.
local function first_day_of(month)
    local shifted = month + 23638
    local years, of_year = floor(shifted / 12), shifted % 12
    local era, year = floor(years / 400), years % 400
    return era * 146097 + year * 365 + floor(year / 4) - floor(year / 100) + floor((153 * of_year + 2) / 5) - 719468
end

local cost = tonumber(ARGV[1])
local time = redis.call('TIME')
local seconds, micros = tonumber(time[1]), tonumber(time[2])
local now = seconds * 1000000 + micros
local today = floor(seconds / 86400)

local has_room = true
-- What is stored now, and after the request, with its milliseconds to live.
local before, after, lives = {}, {}, {}
for index, key in ipairs(KEYS) do
    local requests, terms = tonumber(ARGV[2 * index]), ARGV[2 * index + 1]
    local stored = redis.call('GET', key)
    if terms == 'day' or terms == 'month' then
        local current = terms == 'day' and today or month_of(today)
        local number, used = current, 0
        if stored then
            local stored_number, stored_used = string.match(stored, '^(%d+):(%d+)$')
            if not stored_number then
                return redis.error_reply('CORRUPT a count of a quota has another form')
            end
            stored_number = tonumber(stored_number)
            if stored_number >= current then
                used = tonumber(stored_used)
            end
            -- The clock was set back over the end of a period: the later one goes on.
            if stored_number == current + 1 then
                number = stored_number
            end
        end
        if used + cost > requests then
            has_room = false
        end
        before[index] = digits(number) .. ':' .. digits(used)
        after[index] = digits(number) .. ':' .. digits(used + cost)
        local forgotten = terms == 'day' and number + 2 or first_day_of(number + 2)
        lives[index] = (forgotten * 86400 - seconds) * 1000
    else
        local interval, used = tonumber(terms), 0
        local capacity = requests * interval
        if stored then
            if not string.match(stored, '^%d+$') then
                return redis.error_reply('CORRUPT a count of a rate has another form')
            end
            used = math.max(tonumber(stored) - now, 0)
            -- More than the requests of any such limit take, with their intervals rounded up: the clock was set back.
            if used > 2 * capacity then
                used = capacity
            end
        end
        local next_used = used + cost * interval
        if cost > requests or next_used > capacity then
            has_room = false
        end
        before[index] = digits(now + used)
        after[index] = digits(now + next_used)
        lives[index] = math.ceil(next_used / 1000)
    end
end

-- A free request passes in any case.
has_room = has_room or cost == 0
local answer = { has_room and '1' or '0', time[1], time[2] }
local is_taken = has_room and cost > 0
for index, key in ipairs(KEYS) do
    if is_taken then
        redis.call('SET', key, after[index], 'PX', digits(lives[index]))
    end
    answer[index + 3] = is_taken and after[index] or before[index]
end
return answer
