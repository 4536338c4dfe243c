-- Health of MCPServer, MCPRemoteProxy, VirtualMCPServer and MCPExternalAuthConfig.

-- Health as the object's own operator reports it, by ToolHive's conventions. If you
-- have a health check of your own, make it a function and replace this one by it.
local function own(obj)
  local status = obj.status or {}
  if status.observedGeneration ~= nil and status.observedGeneration ~= obj.metadata.generation then
    return { status = "Progressing", message = "waiting for the operator to see the last edit" }
  end
  local ready
  for _, condition in ipairs(status.conditions or {}) do
    if condition.type == "Ready" or condition.type == "Valid" then
      ready = condition
    end
  end
  local message = ready and ready.message or status.message
  if status.phase == "Failed" or status.phase == "Degraded" then
    return { status = "Degraded", message = message }
  end
  if status.phase == "Stopped" then
    return { status = "Suspended", message = message }
  end
  if ready == nil then
    if status.phase == "Ready" or (status.phase == nil and status.observedGeneration ~= nil) then
      return { status = "Healthy", message = message }
    end
    return { status = "Progressing", message = message or "waiting for the operator" }
  end
  if ready.observedGeneration ~= nil and ready.observedGeneration ~= obj.metadata.generation then
    return { status = "Progressing", message = "waiting for the operator to see the last edit" }
  end
  if ready.status == "True" then
    return { status = "Healthy", message = message }
  end
  if ready.type == "Valid" and ready.status == "False" then
    return { status = "Degraded", message = message }
  end
  return { status = "Progressing", message = message }
end

-- The verdict of scopegate comes first. health is the result of your own check; it is
-- returned unchanged if scopegate has no verdict on the current generation.
local function scopegate(obj, health)
  local said = {}
  for _, condition in ipairs(obj.status and obj.status.conditions or {}) do
    if condition.observedGeneration == obj.metadata.generation then
      said[condition.type] = condition
    end
  end
  local valid, stalled = said.BaselineScopesValid, said.Stalled
  if obj.kind == "MCPExternalAuthConfig" then
    -- A config is shared, so one bad consumer must not fail it for the others.
    if valid and valid.status ~= "True" and health.status == "Healthy" then
      return { status = "Healthy", message = valid.message }
    end
    return health
  end
  if valid and valid.status == "False" then
    return { status = "Degraded", message = valid.message }
  end
  if stalled and stalled.status == "True" then
    return { status = "Degraded", message = stalled.message }
  end
  -- An object of a later sync wave may resolve Unknown. If this wave waited for it,
  -- the later wave would never start.
  if valid and valid.status == "Unknown" then
    return { status = "Healthy", message = valid.message }
  end
  return health
end

return scopegate(obj, own(obj))
