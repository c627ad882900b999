/// The tags of a resource, group or subscription: names without regard to case, the order as sent.
enum TagSet {
    /// At most 50 tags, names to 512 and values to 256 characters (Azure docs, tag-resources, read 2026-02). The error
    /// codes are guesses.
    /// - Returns: nil if the request names no tags.
    static func read(_ value: JSON?) throws(RefusedRequest) -> [JSON.Member]? {
        guard let value, !value.isNull else { return nil }
        guard let members = value.members else { throw .content("'tags' is not an object") }
        var names: Set<String> = []
        for member in members {
            guard let text = member.value.string else { throw .content("tag '\(member.name)' is not a string") }
            guard !member.name.isEmpty, member.name.count <= 512 else {
                throw RefusedRequest(
                    400, "InvalidTagName", "The tag name '\(member.name.prefix(64))' is not valid.")
            }
            guard text.count <= 256 else {
                throw RefusedRequest(
                    400, "InvalidTagValueLength", "The value of tag '\(member.name)' exceeds 256 characters.")
            }
            guard names.insert(member.name.lowercased()).inserted else {
                throw RefusedRequest(400, "DuplicateTagName", "The tag name '\(member.name)' is there twice.")
            }
        }
        return try bounded(members)
    }

    /// `tags` with `changes` put over them: a tag of the same name takes the new value and keeps its place.
    static func merge(
        _ changes: [JSON.Member], into tags: [JSON.Member]
    ) throws(RefusedRequest) -> [JSON.Member] {
        var merged = tags
        for change in changes {
            if let index = index(of: change.name, in: merged) {
                merged[index].value = change.value
            } else {
                merged.append(change)
            }
        }
        return try bounded(merged)
    }

    /// `tags` without those that `named` names with their present value (guess: with another value they stay).
    static func remove(_ named: [JSON.Member], from tags: [JSON.Member]) -> [JSON.Member] {
        tags.filter { tag in
            guard let index = index(of: tag.name, in: named) else { return true }
            return named[index].value != tag.value
        }
    }

    static func value(_ name: String, in tags: [JSON.Member]) -> String? {
        index(of: name, in: tags).flatMap { tags[$0].value.string }
    }

    private static func index(of name: String, in tags: [JSON.Member]) -> Int? {
        tags.firstIndex { $0.name == name || $0.name.lowercased() == name.lowercased() }
    }

    private static func bounded(_ tags: [JSON.Member]) throws(RefusedRequest) -> [JSON.Member] {
        guard tags.count <= 50 else {
            throw RefusedRequest(400, "InvalidTagCount", "The number of tags exceeds the maximum of 50.")
        }
        return tags
    }
}
