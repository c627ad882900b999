/// Figures by metric and labels, written in Prometheus' text format 0.0.4
/// (prometheus.io/docs/instrumenting/exposition_formats, read 2026-02).
struct PrometheusPage: Sendable {
    /// Sorted by name, so that equal ones are one series.
    struct Labels: Hashable, Sendable, Comparable {
        fileprivate let pairs: [String]

        init(_ labels: KeyValuePairs<String, String>) {
            pairs = labels.map { "\($0.key)=\"\(Labels.escaped($0.value))\"" }.sorted()
        }

        static let none = Labels([:])

        static func < (left: Labels, right: Labels) -> Bool { left.pairs.lexicographicallyPrecedes(right.pairs) }

        fileprivate func text(with extra: String? = nil) -> String {
            let all = pairs + [extra].compactMap(\.self)
            return all.isEmpty ? "" : "{" + all.joined(separator: ",") + "}"
        }

        private static func escaped(_ value: String) -> String {
            value.map { character in
                switch character {
                case "\\": "\\\\"
                case "\"": "\\\""
                case "\n": "\\n"
                default: String(character)
                }
            }.joined()
        }
    }

    private struct Distribution {
        var counts: [UInt64]
        var sum = 0.0
        var count: UInt64 = 0
    }

    private var numbers: [Metric: [Labels: Double]] = [:]
    private var distributions: [Metric: [Labels: Distribution]] = [:]

    mutating func add(_ metric: Metric, _ labels: Labels = .none, by amount: Double = 1) {
        numbers[metric, default: [:]][labels, default: 0] += amount
    }

    mutating func set(_ metric: Metric, _ labels: Labels = .none, to value: Double) {
        numbers[metric, default: [:]][labels] = value
    }

    /// Does nothing for metrics that are no histograms.
    mutating func observe(_ metric: Metric, _ labels: Labels = .none, _ value: Double) {
        guard case .histogram(let bounds) = metric.kind else { return }
        let empty = Distribution(counts: [UInt64](repeating: 0, count: bounds.count))
        var distribution = distributions[metric, default: [:]][labels] ?? empty
        if let place = bounds.firstIndex(where: { value <= $0 }) { distribution.counts[place] += 1 }
        distribution.sum += value
        distribution.count += 1
        distributions[metric, default: [:]][labels] = distribution
    }

    func value(_ metric: Metric, _ labels: Labels = .none) -> Double? { numbers[metric]?[labels] }

    /// Metrics without a figure are left out.
    var text: String {
        var text = ""
        for metric in Metric.allCases.sorted(by: { $0.rawValue < $1.rawValue }) {
            let series =
                (numbers[metric] ?? [:]).sorted { $0.key < $1.key }.map { labels, value in
                    "\(metric.rawValue)\(labels.text()) \(PrometheusPage.number(value))\n"
                }.joined()
                + (distributions[metric] ?? [:]).sorted { $0.key < $1.key }.map { labels, distribution in
                    PrometheusPage.text(of: distribution, metric, labels)
                }.joined()
            guard !series.isEmpty else { continue }
            text += "# HELP \(metric.rawValue) \(metric.help)\n# TYPE \(metric.rawValue) \(metric.kind.word)\n" + series
        }
        return text
    }

    private static func text(of distribution: Distribution, _ metric: Metric, _ labels: Labels) -> String {
        guard case .histogram(let bounds) = metric.kind else { return "" }
        var text = ""
        var below: UInt64 = 0
        for (bound, count) in zip(bounds, distribution.counts) {
            below += count
            text += "\(metric.rawValue)_bucket\(labels.text(with: "le=\"\(number(bound))\"")) \(below)\n"
        }
        text += "\(metric.rawValue)_bucket\(labels.text(with: "le=\"+Inf\"")) \(distribution.count)\n"
        text += "\(metric.rawValue)_sum\(labels.text()) \(number(distribution.sum))\n"
        return text + "\(metric.rawValue)_count\(labels.text()) \(distribution.count)\n"
    }

    /// As Go writes it, near enough: whole numbers without a fraction.
    private static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : "\(value)"
    }
}
