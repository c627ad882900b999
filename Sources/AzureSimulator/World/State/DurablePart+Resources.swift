extension DurablePart {
    /// Groups, tags and registrations of the subscription.
    static let subscription = DurablePart("subscription") { world in
        world.subscription
    } restore: { world, state, _ in
        world.subscription = state
    }

    static let storage = DurablePart("storage") { world in
        world.storage
    } restore: { world, state, _ in
        world.storage = state
        // Those that a state of an earlier start lacks.
        world.addStorageAccounts()
    }

    static let identities = DurablePart("identities") { world in
        world.identities
    } restore: { world, state, _ in
        world.identities = state
    }

    /// Nothing is kept of Resource Graph: it knows at once what the other parts have put back. Has to be the last.
    static let graph = DurablePart("graph") { _ in
        true
    } restore: { world, _, _ in
        world.resetGraphMirror()
    }
}
