extension DurablePart {
    /// Identifiers that were drawn at the first start, and where the generator stands: no identifier is drawn twice.
    static let identity = DurablePart("identity") { world in
        IdentityState(
            random: world.random, workerID: world.workerID, verificationID: world.verificationID,
            servicePrincipalID: world.servicePrincipalID, machinePrincipal: world.machinePrincipal)
    } restore: { world, state, _ in
        world.random = state.random
        world.workerID = state.workerID
        world.verificationID = state.verificationID
        world.servicePrincipalID = state.servicePrincipalID
        world.machinePrincipal = state.machinePrincipal
    }
}

private struct IdentityState: Codable, Sendable {
    var random: SeededGenerator
    var workerID: String
    var verificationID: String
    var servicePrincipalID: String
    var machinePrincipal: Principal
}
