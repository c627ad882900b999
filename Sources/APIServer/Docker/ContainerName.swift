import DesiredState

/// Names for containers that were created without one: an adjective and a noun, as Docker's users are used to.
enum ContainerName {
    /// One of some 4,000; a taken one is tried again with a number behind it.
    static func random(attempt: Int, using generator: inout some RandomNumberGenerator) -> RecordName? {
        guard let adjective = adjectives.randomElement(using: &generator),
            let noun = nouns.randomElement(using: &generator)
        else { return nil }
        let suffix = attempt == 0 ? "" : String(Int.random(in: 10...99_999, using: &generator))
        return RecordName("\(adjective)_\(noun)\(suffix)")
    }

    /// The name a client asks for; Docker allows a slash in front. Throws Docker's refusal.
    static func parse(_ text: String) throws(DockerError) -> RecordName {
        guard let name = RecordName(text.hasPrefix("/") ? text.dropFirst() : text[...]) else {
            throw .badParameter("Invalid container name (\(text)), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
        }
        return name
    }

    private static let adjectives = words(
        """
        agile airy amber ample ardent azure blithe bold breezy bright brisk calm candid cheery clear clever cosy crisp daring deft
        eager early fair fleet fond frank fresh gentle glad golden grand hardy hasty honest humble jolly keen kind lively loyal lucid
        mellow merry mild neat nimble noble patient placid plucky polite proud quick quiet ready rosy serene sharp silver snug spry
        steady sunny swift tidy tranquil trusty vivid warm witty zesty
        """)

    private static let nouns = words(
        """
        acorn anchor arrow aspen badger beacon birch bison brook canyon cedar cloud comet coral crane delta dune eagle ember falcon fern
        finch fjord forest fox garnet geyser glacier grove harbor hare hawk heron island ivy jay juniper kestrel lagoon lake lark
        lantern lichen linden lynx maple marten meadow mesa moss oak ocean orchid osprey otter owl pebble pine plover quartz raven reef
        river robin sparrow spruce summit swan tern thicket tulip valley willow wren
        """)

    private static func words(_ text: String) -> [Substring] {
        text.split(whereSeparator: \.isWhitespace)
    }
}
