import AzureSimulator

/// What users do in a run, and what Azure is like. The raw value names it on the command line.
package enum Scenario: String, CaseIterable, Sendable {
    /// Create, run, run again, delete.
    case lifecycle
    /// Stop a long run, then delete in the middle of another.
    case stop
    /// A record that deletes itself.
    case timeToLive = "ttl"
    case update
    case pause
    /// Others delete, stop, edit and strip sites.
    case drift
    /// An image that cannot be pulled, put right later.
    case badImage = "bad-image"
    /// A run that takes longer than it may.
    case deadline
    case atLeastOnce = "at-least-once"
    /// A site that outlives its record.
    case orphan
    /// A record that never comes to a site.
    case abandon
    /// A site that another installation has made for the record.
    case adoption
    /// A record moves to where no site can be moved.
    case replacement
    /// The store is frozen for a while.
    case freeze
    /// Sites that nobody knows, and some that only resemble ours.
    case leak
    /// The site of a record appears after the record is forgotten.
    case late
    /// The store is replaced by an older copy of itself.
    case restore
    /// Everything, by chance, with everything going wrong.
    case mixed

    /// What a user does, after waiting so many seconds.
    enum Step: Sendable {
        case create(Blueprint)
        case start
        case stop
        case changeSettings
        case changeImage(String)
        case pause
        case pauseUntil(seconds: Int)
        case resume
        case delete
        /// Deletes a record that never had a site, and takes its finalizers away.
        case abandon
        case freeze(Bool)
        /// Another installation creates the record's site.
        case othersCreate
        /// Deletes the record, and lets its site appear once it is forgotten.
        case deleteAndAppear
        /// To the Container Apps environment.
        case changeHosting
    }

    struct Blueprint: Sendable {
        var image = "alpine"
        var invocations = 1
        var seconds = 5
        var exitCode = 0
        var timeToLive: Int?
        var timeout = 600
        var isAtLeastOnce = false
        var isOrphaned = false
        var isPaused = false
        var isAdopting = false
        var isReplaced = false
    }

    func script(_ dice: Dice) -> [(after: ClosedRange<Int>, step: Step)] {
        switch self {
        case .lifecycle:
            return [
                (0...2, .create(Blueprint(invocations: 0))), (0...60, .start), (5...60, .start), (0...90, .delete),
            ]
        case .stop:
            return [
                (0...2, .create(Blueprint(seconds: 400))), (5...60, .stop), (1...60, .start), (0...60, .delete),
            ]
        case .timeToLive: return [(0...2, .create(Blueprint(exitCode: 3, timeToLive: 30)))]
        case .update:
            return [
                (0...2, .create(Blueprint(seconds: 40))), (0...60, .changeSettings), (0...60, .start),
                (0...30, .changeSettings), (5...60, .start),
            ]
        case .pause:
            return [
                (0...2, .create(Blueprint())), (0...30, .pause), (0...20, .changeSettings), (0...20, .start),
                (5...60, .resume), (0...60, .pauseUntil(seconds: 60)), (0...5, .start), (0...90, .delete),
            ]
        case .drift: return [(0...2, .create(Blueprint())), (120...400, .start)]
        case .badImage:
            return [
                (0...2, .create(Blueprint(image: "absent"))), (5...120, .changeImage("alpine")), (0...30, .start),
            ]
        case .deadline: return [(0...2, .create(Blueprint(seconds: 300, timeout: 20))), (30...90, .delete)]
        case .atLeastOnce:
            return [(0...2, .create(Blueprint(seconds: 60, isAtLeastOnce: true))), (20...90, .start)]
        case .orphan: return [(0...2, .create(Blueprint(isOrphaned: true))), (0...60, .delete)]
        case .abandon: return [(0...2, .create(Blueprint(isPaused: true))), (0...60, .abandon)]
        case .freeze:
            return [
                (0...2, .create(Blueprint())), (0...20, .freeze(true)), (0...20, .start), (10...60, .changeSettings),
                (10...60, .freeze(false)), (0...60, .delete),
            ]
        case .adoption:
            return [
                (0...2, .create(Blueprint(isPaused: true, isAdopting: true))), (0...5, .othersCreate),
                (0...60, .resume),
                (0...60, .start),
            ]
        case .replacement:
            return [
                (0...2, .create(Blueprint(isReplaced: true))), (5...90, .changeHosting), (0...60, .start),
                (0...400, .delete),
            ]
        case .leak: return [(0...2, .create(Blueprint(invocations: dice.int(0...1)))), (100...600, .start)]
        case .late: return [(0...2, .create(Blueprint())), (20...90, .deleteAndAppear)]
        case .restore, .mixed: return Self.mixed(dice)
        }
    }

    private static func mixed(_ dice: Dice) -> [(after: ClosedRange<Int>, step: Step)] {
        let blueprint = Blueprint(
            image: dice.chance(0.05) ? "absent" : "alpine", invocations: dice.int(0...2),
            seconds: dice.pick([0, 1, 5, 30, 200]), exitCode: dice.pick([0, 0, 1]),
            timeToLive: dice.chance(0.15) ? dice.int(0...120) : nil, timeout: dice.pick([0, 10, 600]),
            isAtLeastOnce: dice.chance(0.25), isOrphaned: dice.chance(0.1))
        var script: [(ClosedRange<Int>, Step)] = [(0...5, .create(blueprint))]
        for _ in 0..<dice.int(0...5) {
            let step: Step =
                switch dice.int(0...9) {
                case 0...3: .start
                case 4: .stop
                case 5, 6: .changeSettings
                case 7: dice.chance(0.5) ? .pause : .pauseUntil(seconds: dice.int(10...200))
                case 8: .resume
                default: .changeImage(dice.pick(["alpine", "absent"]))
                }
            script.append((0...dice.pick([1, 20, 200]), step))
        }
        if dice.chance(0.6) { script.append((0...100, .delete)) }
        return script
    }

    func chaos(_ dice: Dice) -> Chaos {
        var chaos = Chaos.storm(dice)
        if self == .drift { chaos.outsider = 0.2 }
        if self == .atLeastOnce { chaos.containerEnd = max(chaos.containerEnd, 0.1) }
        return chaos
    }

    var recordCount: ClosedRange<Int> { self == .mixed || self == .restore ? 1...3 : 1...1 }

    func hasStrangers(_ dice: Dice) -> Bool { self == .leak || self == .mixed && dice.chance(0.1) }

    func isRestored(_ dice: Dice) -> Bool { self == .restore || self == .mixed && dice.chance(0.1) }

    /// How long one misfortune is waited for: with leaks until they are deleted.
    var quietSeconds: Int { self == .leak || self == .restore ? 700 : 300 }
}
