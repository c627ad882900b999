/// What should exist and run. Keys in manifests and JSON are the property names.
package struct FunctionAppSpec: Hashable, Sendable {
    /// The container image, as the user wrote it; `image.canonical` is what Azure is given.
    package var image: ImageReference
    /// Replaces the image's entry point.
    package var command: [String]
    /// Arguments behind `command`. One of the two must not be empty: images' own commands are not read yet.
    package var args: [String]
    package var env: [EnvironmentVariable]
    /// Default: `/`.
    package var workingDir: String?
    /// `name|uid[:group|gid]`; default: the container's own user.
    package var user: String?
    /// Keep the command's standard input open until somebody attaches and closes it; else it is empty. Default: false.
    package var stdin: Bool
    /// The command gets a terminal; all its output is standard output then. Default: false.
    package var tty: Bool
    /// How many runs should have happened in all. Raising it starts a run; lowering it does nothing. Default: 1.
    package var invocations: Int
    package var run: RunPolicy
    /// What is mounted into the container. Default: nothing.
    package var volumes: [VolumeMount]
    package var hosting: Hosting
    package var azure: AzureSettings
    /// Nothing is written to Azure for a suspended record, except when it is deleted. Default: `nil`, not suspended.
    package var suspend: Suspension?
    /// Default: repair.
    package var drift: DriftPolicy
    /// Default: never.
    package var replacement: ReplacementPolicy
    /// Default: delete.
    package var deletionPolicy: DeletionPolicy
    /// Default: never.
    package var adoption: AdoptionPolicy
    /// Asks for an open run to be ended. Ignored for any other run than the one it names.
    package var stop: StopRequest?

    package init(
        image: ImageReference, command: [String] = [], args: [String] = [], env: [EnvironmentVariable] = [],
        workingDir: String? = nil, user: String? = nil, stdin: Bool = false, tty: Bool = false,
        invocations: Int = 1, run: RunPolicy = RunPolicy(), volumes: [VolumeMount] = [], hosting: Hosting = Hosting(),
        azure: AzureSettings = AzureSettings(),
        suspend: Suspension? = nil, drift: DriftPolicy = .repair, replacement: ReplacementPolicy = .never,
        deletionPolicy: DeletionPolicy = .delete, adoption: AdoptionPolicy = .never, stop: StopRequest? = nil
    ) {
        self.image = image
        self.command = command
        self.args = args
        self.env = env
        self.workingDir = workingDir
        self.user = user
        self.stdin = stdin
        self.tty = tty
        self.invocations = invocations
        self.run = run
        self.volumes = volumes
        self.hosting = hosting
        self.azure = azure
        self.suspend = suspend
        self.drift = drift
        self.replacement = replacement
        self.deletionPolicy = deletionPolicy
        self.adoption = adoption
        self.stop = stop
    }
}

package struct EnvironmentVariable: Hashable, Sendable, Codable {
    package var name: String
    package var value: String

    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// Whether a run whose outcome cannot be known may be tried again.
package enum DeliveryPolicy: String, Hashable, Sendable, Codable, CaseIterable {
    /// Never: such a run has failed.
    case atMostOnce = "AtMostOnce"
    /// Yes, up to ``RunPolicy/attemptLimit`` attempts: the command may run more than once.
    case atLeastOnce = "AtLeastOnce"
}

package struct RunPolicy: Hashable, Sendable, Codable {
    /// The run is ended after so many seconds; 0 = never. Default: 600.
    package var timeoutSeconds: Int
    /// The record deletes itself so many seconds after its last asked-for run ended; `nil` = never.
    package var ttlSecondsAfterFinished: Int?
    /// Default: at most once.
    package var delivery: DeliveryPolicy
    /// How many attempts whose outcome is unknown a run may have in all. From 1; more than 1 only with at-least-once
    /// delivery. Default: 1, or 3 with at-least-once delivery. Refused attempts ran nothing and do not count.
    package var attemptLimit: Int

    package init(
        timeoutSeconds: Int = 600, ttlSecondsAfterFinished: Int? = nil, delivery: DeliveryPolicy = .atMostOnce,
        attemptLimit: Int? = nil
    ) {
        self.timeoutSeconds = timeoutSeconds
        self.ttlSecondsAfterFinished = ttlSecondsAfterFinished
        self.delivery = delivery
        self.attemptLimit = attemptLimit ?? RunPolicy.usualAttemptLimit(delivery)
    }

    package static func usualAttemptLimit(_ delivery: DeliveryPolicy) -> Int {
        switch delivery {
        case .atMostOnce: 1
        case .atLeastOnce: 3
        }
    }

    /// Absent keys take their defaults, so that records written by an older release can be read.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            timeoutSeconds: try container.decodeIfPresent(Int.self, forKey: .timeoutSeconds) ?? 600,
            ttlSecondsAfterFinished: try container.decodeIfPresent(Int.self, forKey: .ttlSecondsAfterFinished),
            delivery: try container.decodeIfPresent(DeliveryPolicy.self, forKey: .delivery) ?? .atMostOnce,
            attemptLimit: try container.decodeIfPresent(Int.self, forKey: .attemptLimit))
    }
}

/// At most one of the two; neither = the daemon's configured hosting.
package struct Hosting: Hashable, Sendable, Codable {
    /// Resource id or name of the App Service plan.
    package var plan: String?
    /// Resource id or name of the Container Apps environment.
    package var managedEnvironment: String?

    package init(plan: String? = nil, managedEnvironment: String? = nil) {
        self.plan = plan
        self.managedEnvironment = managedEnvironment
    }
}

/// Things of Azure that the user wants on the site. The site's other settings and tags belong to the platform and are left alone.
package struct AzureSettings: Hashable, Sendable, Codable {
    package var appSettings: [String: String]
    package var tags: [String: String]

    package init(appSettings: [String: String] = [:], tags: [String: String] = [:]) {
        self.appSettings = appSettings
        self.tags = tags
    }
}

package struct StopRequest: Hashable, Sendable, Codable {
    /// The run that should end.
    package var run: Int
    /// Signal name without `SIG`, or a number.
    package var signal: String
    /// KILL follows so many seconds later.
    package var graceSeconds: Int

    package init(run: Int, signal: String = "TERM", graceSeconds: Int = 10) {
        self.run = run
        self.signal = signal
        self.graceSeconds = graceSeconds
    }
}

extension FunctionAppSpec: Codable {
    private enum CodingKeys: String, CodingKey {
        case image, command, args, env, workingDir, user, stdin, tty, invocations, run, volumes, hosting, azure, suspend
        case drift, replacement, deletionPolicy, adoption, stop
    }

    /// Absent keys take their defaults, so that records written by an older release can be read.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            image: try container.decode(ImageReference.self, forKey: .image),
            command: try container.decodeIfPresent([String].self, forKey: .command) ?? [],
            args: try container.decodeIfPresent([String].self, forKey: .args) ?? [],
            env: try container.decodeIfPresent([EnvironmentVariable].self, forKey: .env) ?? [],
            workingDir: try container.decodeIfPresent(String.self, forKey: .workingDir),
            user: try container.decodeIfPresent(String.self, forKey: .user),
            stdin: try container.decodeIfPresent(Bool.self, forKey: .stdin) ?? false,
            tty: try container.decodeIfPresent(Bool.self, forKey: .tty) ?? false,
            invocations: try container.decodeIfPresent(Int.self, forKey: .invocations) ?? 1,
            run: try container.decodeIfPresent(RunPolicy.self, forKey: .run) ?? RunPolicy(),
            volumes: try container.decodeIfPresent([VolumeMount].self, forKey: .volumes) ?? [],
            hosting: try container.decodeIfPresent(Hosting.self, forKey: .hosting) ?? Hosting(),
            azure: try container.decodeIfPresent(AzureSettings.self, forKey: .azure) ?? AzureSettings(),
            suspend: try container.decodeIfPresent(SuspensionField.self, forKey: .suspend)?.suspension,
            drift: try container.decodeIfPresent(DriftPolicy.self, forKey: .drift) ?? .repair,
            replacement: try container.decodeIfPresent(ReplacementPolicy.self, forKey: .replacement) ?? .never,
            deletionPolicy: try container.decodeIfPresent(DeletionPolicy.self, forKey: .deletionPolicy) ?? .delete,
            adoption: try container.decodeIfPresent(AdoptionPolicy.self, forKey: .adoption) ?? .never,
            stop: try container.decodeIfPresent(StopRequest.self, forKey: .stop))
    }
}
