extension World {
    /// What belongs to Resource Manager itself: paths without a provider (`/subscriptions`, `/tenants`,
    /// `/subscriptions/{s}/resourceGroups/{rg}`, `/subscriptions/{s}/providers`) and those of `Microsoft.Resources`.
    /// The caller has checked the token, that there is an `api-version`, and that a named subscription exists; groups
    /// it has not.
    mutating func answerResources(_ call: ResourceCall, at now: Instant) -> Reply {
        AzureErrorBody.resourceManager(
            404, "InvalidResourcePath", "The requested path is not part of the simulated Azure.")
    }
}
