import DesiredState
import Foundation
import Testing

struct ManifestTests {
    @Test func `hosting is a plan or an environment, and not both`() throws {
        func hosting(_ text: String) throws -> Hosting? {
            try Manifest.parse(
                yaml: "apiVersion: skls.dev/v1\nkind: FunctionApp\nmetadata: {name: x}\n"
                    + "spec: {image: alpine, args: [\"true\"], hosting: {\(text)}}\n", source: "m.yaml"
            ).first?.spec.hosting
        }
        #expect(try hosting("plan: p") == Hosting(plan: "p"))
        #expect(try hosting("managedEnvironment: e") == Hosting(managedEnvironment: "e"))
        #expect(throws: (any Error).self) { try hosting("plan: p, managedEnvironment: e") }
    }

    @Test func `a whole manifest is read, defaults included`() throws {
        let text = """
            apiVersion: skls.dev/v1
            kind: FunctionApp
            metadata: {name: job, labels: {team: a}}
            spec:
              image: alpine
              command: [sh, -c]
              args: ["echo hi"]
              env: [{name: A, value: "1"}]
              run: {timeoutSeconds: 5}
            ---
            apiVersion: skls.dev/v1
            kind: FunctionApp
            metadata: {name: other}
            spec: {image: "busybox:1.36", args: ["true"], invocations: 0}
            """
        let manifests = try Manifest.parse(yaml: text)
        let job = try #require(manifests.first)
        #expect(manifests.map(\.name.text) == ["job", "other"])
        #expect(job.labels == ["team": "a"] && job.spec.command == ["sh", "-c"] && job.spec.env.first?.value == "1")
        #expect(
            job.spec.invocations == 1 && job.spec.run.timeoutSeconds == 5 && job.spec.run.ttlSecondsAfterFinished == nil
        )
        #expect(manifests.last?.spec.run.timeoutSeconds == 600)
    }

    @Test func `aliases, lists of records, byte order marks, empty documents and block texts are read`() throws {
        let text = """
            \u{feff}apiVersion: v1
            kind: List
            items:
              - apiVersion: skls.dev/v1
                kind: FunctionApp
                metadata: {name: a}
                spec:
                  image: alpine
                  args: &args [echo, "a * b", "*x", '"', "\\\\"]
                  env:
                    - name: SCRIPT
                      value: |
                        for f in *; do echo "$f"; done
              - apiVersion: skls.dev/v1
                kind: FunctionApp
                metadata: {name: b}
                spec: {image: alpine, args: *args, suspend: {until: 2026-01-31T12:00:00Z}}
            ---
            # nothing
            ---
            ...
            """
        let manifests = try Manifest.parse(yaml: text)
        #expect(manifests.map(\.name.text) == ["a", "b"])
        #expect(
            manifests.map(\.spec.args) == [["echo", "a * b", "*x", "\"", "\\"], ["echo", "a * b", "*x", "\"", "\\"]])
        #expect(manifests.first?.spec.env.first?.value == "for f in *; do echo \"$f\"; done\n")
        #expect(manifests.last?.spec.suspend?.until == Instant(rfc3339: "2026-01-31T12:00:00Z"))
    }

    @Test func `a name may stand once in all files of an apply`() {
        let text = "apiVersion: skls.dev/v1\nkind: FunctionApp\nmetadata: {name: a}\nspec: {image: a, args: [b]}\n"
        let sources = ["x.yaml", "y.yaml"].map { ManifestSource(name: $0, bytes: Array(text.utf8)) }
        let faults = #expect(throws: ManifestFaults.self) { try Manifest.parse(sources) }
        #expect(
            faults?.description
                == "y.yaml:3:18: metadata.name: a is declared already, at x.yaml:3:18; each name may be declared once in an apply"
        )
    }

    @Test func `a file that is too large is refused unread`() {
        let bytes = [UInt8](repeating: UInt8(ascii: "#"), count: Manifest.maximumBytes + 1)
        let faults = #expect(throws: ManifestFaults.self) {
            try Manifest.parse([ManifestSource(name: "big.yaml", bytes: bytes)])
        }
        #expect(faults?.description == "big.yaml: is 3145729 bytes long; at most 3145728 are allowed")
    }

    @Test func `a file of nothing but flow brackets or asterisks is refused and does no harm`() {
        for text in [
            String(repeating: "[", count: 1 << 20), String(repeating: "* ", count: 1 << 20),
            "\"" + String(repeating: "x", count: 1 << 20),
        ] {
            #expect(throws: ManifestFaults.self) { try Manifest.parse(yaml: text) }
            #expect(throws: ManifestFaults.self) { try Manifest.parse(json: Data(text.utf8)) }
        }
    }

    @Test func `a JSON body is read like a manifest`() throws {
        let body =
            #"{"apiVersion":"skls.dev/v1","kind":"FunctionApp","metadata":{"name":"a","resourceVersion":"7"},"spec":{"image":"alpine","args":["x"],"stdin":true,"tty":true}}"#
        let manifest = try Manifest.parse(json: Data(body.utf8))
        #expect(manifest.spec.stdin && manifest.spec.tty && manifest.resourceVersion == Revision(7))
        #expect(throws: ManifestFaults.self) { try Manifest.parse(json: Data("{".utf8)) }
    }

    @Test func `what was read back can be applied again, and applying does not undo a start`() throws {
        var generator = SystemRandomNumberGenerator()
        let manifest = try #require(
            try Manifest.parse(
                yaml:
                    "{apiVersion: skls.dev/v1, kind: FunctionApp, metadata: {name: a}, spec: {image: a, args: [b], invocations: 0}}"
            ).first)
        var record = FunctionApp(creating: manifest, uid: UID(using: &generator), at: Instant(nanoseconds: 0))
        record = record.requestingRun().record
        #expect(record.spec.invocations == 1)
        #expect(record.applying(manifest).spec.invocations == 1, "unchanged in the manifest: the start stands")
        var changed = manifest
        changed.spec.invocations = 5
        #expect(record.applying(changed).spec.invocations == 5)
        let json = try JSONEncoder().encode(record)
        #expect(try Manifest.parse(json: json).spec == record.spec)
    }
}

struct ImageReferenceTests {
    @Test(arguments: [
        ("alpine", "docker.io/library/alpine:latest", "alpine:latest"),
        ("alpine:3", "docker.io/library/alpine:3", "alpine:3"),
        ("user/app", "docker.io/user/app:latest", "user/app:latest"),
        ("localhost:5000/x", "localhost:5000/x:latest", "localhost:5000/x:latest"),
        ("reg.azurecr.io/a/b:1.0", "reg.azurecr.io/a/b:1.0", "reg.azurecr.io/a/b:1.0"),
        ("index.docker.io/library/alpine", "docker.io/library/alpine:latest", "alpine:latest"),
    ])
    func `a reference has one canonical and one familiar form`(text: String, canonical: String, familiar: String) throws
    {
        let reference = try ImageReference(parsing: text)
        #expect(reference.canonical == canonical && reference.familiar == familiar)
    }

    @Test(arguments: [
        "", "Alpine", "a b", "a:", "a@sha256:12", "a//b", "-a", "a..b", "a:\(String(repeating: "x", count: 129))",
    ])
    func `what is no reference is refused`(text: String) {
        #expect(throws: InvalidImageReference.self) { try ImageReference(parsing: text) }
    }

    @Test func `a digest stands without a tag`() throws {
        let digest = "sha256:" + String(repeating: "a", count: 64)
        #expect(try ImageReference(parsing: "alpine@" + digest).canonical == "docker.io/library/alpine@" + digest)
    }
}
