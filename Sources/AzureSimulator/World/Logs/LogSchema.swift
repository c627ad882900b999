/// The tables of a workspace that are known here, with the columns that matter (Azure Monitor docs, reference tables,
/// read 2026-02; columns of the `AppService…` tables in part from memory).
enum LogSchema {
    static let tables: [String: [KQL.Column]] = {
        let telemetry: [KQL.Column] = [
            .init("OperationName", .string), .init("OperationId", .string), .init("ParentId", .string),
            .init("SessionId", .string), .init("UserId", .string), .init("AppVersion", .string),
            .init("AppRoleName", .string), .init("AppRoleInstance", .string), .init("SDKVersion", .string),
            .init("IKey", .string), .init("ItemCount", .int), .init("Properties", .dynamic),
            .init("Measurements", .dynamic), .init("ResourceGUID", .string),
        ]
        let own: [String: [KQL.Column]] = [
            "AppTraces": [.init("Message", .string), .init("SeverityLevel", .int)] + telemetry,
            "AppRequests": [
                .init("Id", .string), .init("Source", .string), .init("Name", .string), .init("Url", .string),
                .init("Success", .bool), .init("ResultCode", .string), .init("DurationMs", .real),
            ] + telemetry,
            "AppDependencies": [
                .init("Id", .string), .init("Target", .string), .init("DependencyType", .string),
                .init("Name", .string),
                .init("Data", .string), .init("Success", .bool), .init("ResultCode", .string),
                .init("DurationMs", .real),
            ] + telemetry,
            "AppExceptions": [
                .init("ProblemId", .string), .init("ExceptionType", .string), .init("OuterType", .string),
                .init("OuterMessage", .string), .init("InnermostType", .string), .init("InnermostMessage", .string),
                .init("Details", .dynamic), .init("SeverityLevel", .int),
            ] + telemetry,
            "AppEvents": [.init("Name", .string)] + telemetry,
            "FunctionAppLogs": [
                .init("AppName", .string), .init("FunctionName", .string), .init("FunctionInvocationId", .string),
                .init("HostInstanceId", .string), .init("HostVersion", .string), .init("Level", .string),
                .init("LevelId", .int), .init("Category", .string), .init("Message", .string),
                .init("ExceptionType", .string), .init("ExceptionMessage", .string), .init("ExceptionDetails", .string),
                .init("EventId", .int), .init("EventName", .string), .init("ActivityId", .string),
                .init("RoleInstance", .string), .init("ProcessId", .int), .init("Location", .string),
            ],
            "AppServiceConsoleLogs": [
                .init("Level", .string), .init("ResultDescription", .string), .init("Host", .string),
                .init("ContainerId", .string), .init("OperationName", .string), .init("Category", .string),
            ],
            "AppServicePlatformLogs": [
                .init("Level", .string), .init("Message", .string), .init("Host", .string),
                .init("ContainerId", .string), .init("OperationName", .string), .init("Exception", .string),
                .init("StackTrace", .string), .init("DeploymentId", .string),
            ],
            "AppServiceHTTPLogs": [
                .init("CsMethod", .string), .init("CsUriStem", .string), .init("CsHost", .string),
                .init("ScStatus", .int), .init("TimeTaken", .int), .init("Result", .string),
            ],
        ]
        return own.mapValues { before + $0 + behind }
    }()

    private static let before: [KQL.Column] = [.init("TenantId", .string), .init("TimeGenerated", .datetime)]
    private static let behind: [KQL.Column] = [
        .init("SourceSystem", .string), .init("Type", .string), .init("_ResourceId", .string),
    ]

    /// Columns of a table that a client made; its own are all text.
    static func customColumns(_ names: [String]) -> [KQL.Column] {
        before + names.map { .init($0, .string) } + behind
    }
}
