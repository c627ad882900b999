// Which resource providers there are, and the subscription's registration for each (REST specifications of
// Microsoft.Resources 2021-04-01; the error is in Azure docs, error-register-resource-provider, read 2026-02).

extension World {
    /// `/subscriptions/{s}/providers/{namespace}` and the actions `register` and `unregister` below it, also without a
    /// subscription.
    mutating func answerProviders(namespace: String, _ call: ResourceCall, at now: Instant) -> Reply {
        guard let provider = ResourceProvider.named(namespace) else {
            return AzureErrorBody.resourceManager(
                404, "InvalidResourceNamespace", "The resource namespace '\(namespace)' is invalid.")
        }
        let key = provider.namespace.lowercased()
        switch (call.method, call.path.segments.first?.lowercased(), call.path.segments.count) {
        case ("GET", nil, _): break
        case ("POST", "register", 1) where call.path.subscription != nil:
            if let registration = subscription.registrations[key], registration.registeredAt == nil {
                subscription.registrations[key]?.registeredAt = now + settings.scaled(ResourceLatency.registration)
            }
        case ("POST", "unregister", 1) where call.path.subscription != nil:
            subscription.registrations[key] = SubscriptionState.Registration()
        default: return call.methodNotAllowed
        }
        return .json(200, document(of: provider, call, at: now))
    }

    func listProviders(_ call: ResourceCall, at now: Instant) -> Reply {
        guard call.method == "GET" else { return call.methodNotAllowed }
        let providers = ResourceProvider.all.sorted { $0.namespace < $1.namespace }
        return .json(200, ["value": .array(providers.map { document(of: $0, call, at: now) })])
    }

    /// Why a provider takes no new resources: the subscription is not registered for it. Reads need no registration.
    func refusal(ofProvider namespace: String, method: String, at now: Instant) -> Reply? {
        guard method == "PUT" || method == "PATCH",
            let registration = subscription.registrations[namespace.lowercased()],
            Self.state(registration, at: now) != "Registered"
        else { return nil }
        return AzureErrorBody.resourceManager(
            409, "MissingSubscriptionRegistration",
            "The subscription is not registered to use namespace '\(namespace)'. See https://aka.ms/rps-not-found for "
                + "how to register subscriptions.")
    }

    private static func state(_ registration: SubscriptionState.Registration?, at now: Instant) -> String {
        guard let registration else { return "Registered" }
        guard let end = registration.registeredAt else { return "NotRegistered" }
        return end <= now ? "Registered" : "Registering"
    }

    private func document(of provider: ResourceProvider, _ call: ResourceCall, at now: Instant) -> JSON {
        let types = provider.types.map { type -> JSON in
            [
                "resourceType": .string(type), "locations": [.string(settings.displayLocation)],
                "apiVersions": .array(provider.versions.reversed().map(JSON.string)),
                "capabilities": "SupportsTags, SupportsLocation",
            ]
        }
        var members: [JSON.Member] = []
        if call.path.subscription != nil {
            let id = "\(subscriptionPath)/providers/\(provider.namespace)"
            members.append(.init(name: "id", value: .string(id)))
        }
        members.append(.init(name: "namespace", value: .string(provider.namespace)))
        members.append(.init(name: "resourceTypes", value: .array(types)))
        if call.path.subscription != nil {
            let state = Self.state(subscription.registrations[provider.namespace.lowercased()], at: now)
            members.append(.init(name: "registrationState", value: .string(state)))
            members.append(.init(name: "registrationPolicy", value: "RegistrationRequired"))
        }
        return .object(members)
    }
}
