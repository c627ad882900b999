import DesiredState
import Foundation
import Testing

struct ManifestTests {
    private func faults(_ yaml: String) -> [String] {
        do throws(ManifestFaults) {
            _ = try Manifest.parse(yaml: yaml, source: "m.yaml")
            return []
        } catch {
            return error.faults.map(\.description)
        }
    }

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

    @Test func `every fault is told at once, with its line and column`() {
        let found = faults(
            """
            apiVersion: skls.dev/v2
            kind: FunctionApp
            metadata:
              name: -bad
            spec:
              image: Upper
              args: [sleep, 5]
              invocations: -1
              imagee: alpine
              run:
                timeoutSeconds: soon
            """)
        #expect(
            found
                == [
                    "m.yaml:1:13: apiVersion: must be skls.dev/v1, not \"skls.dev/v2\"",
                    "m.yaml:4:9: metadata.name: \"-bad\" is no name: 1 to 255 of a-z A-Z 0-9 _ . - beginning with a letter or digit",
                    "m.yaml:9:3: spec: unknown key \"imagee\"; allowed: adoption, args, azure, command, deletionPolicy, drift, env, "
                        + "hosting, image, invocations, replacement, run, stdin, stop, suspend, user, workingDir",
                    "m.yaml:6:10: spec.image: \"Upper\": invalid reference format: repository name (library/Upper) must be lowercase",
                    "m.yaml:7:17: spec.args[1]: must be a string, not the number 5; put it in quotes",
                    "m.yaml:8:16: spec.invocations: must be from 0 to 1000000, not -1",
                    "m.yaml:11:21: spec.run.timeoutSeconds: must be a whole number, not a string",
                ], "\(found.joined(separator: "\n"))")
    }

    @Test(arguments: [
        ("a: [", "not YAML"), ("spec: 1", "is missing"), ("- a", "must be a mapping, not a list"),
        ("apiVersion: skls.dev/v1\nkind: FunctionApp\nkind: FunctionApp", "key given twice"),
        (
            "apiVersion: skls.dev/v1\nkind: FunctionApp\nmetadata: {name: a}\nspec: {image: a, args: [sleep, 5]}",
            "spec.args[1]: must be a string, not the number 5; put it in quotes"
        ),
        (
            "apiVersion: skls.dev/v1\nkind: FunctionApp\nmetadata: {name: a}\nspec: {image: a}",
            "command or args is needed"
        ),
        (
            "apiVersion: skls.dev/v1\nkind: FunctionApp\nmetadata: {name: a}\nspec: {image: a, args: [b], env: [{name: A}]}",
            "spec.env[0].value: is missing"
        ),
        (
            "apiVersion: skls.dev/v1\nkind: FunctionApp\nmetadata: {name: a}\nspec: {image: a, args: [b], workingDir: x}",
            "is not absolute"
        ),
        (
            "apiVersion: skls.dev/v1\nkind: FunctionApp\nmetadata: {name: a}\nspec: {image: a, args: [b], azure: {tags: {SKLS-uid: x}}}",
            "tags that begin with skls-"
        ),
    ])
    func `a broken manifest says what is wrong`(yaml: String, expected: String) {
        let found = faults(yaml)
        #expect(found.contains { $0.contains(expected) }, "\(found)")
    }

    @Test func `an alias bomb is refused`() {
        var text = "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        var last = "a"
        for name in ["b", "c", "d", "e", "f"] {
            text +=
                "\(name): &\(name) [*\(last),*\(last),*\(last),*\(last),*\(last),*\(last),*\(last),*\(last),*\(last),*\(last)]\n"
            last = name
        }
        #expect(faults(text).contains { $0.contains("more than 100000 values") })
    }

    @Test func `a JSON body is read like a manifest`() throws {
        let body =
            #"{"apiVersion":"skls.dev/v1","kind":"FunctionApp","metadata":{"name":"a","resourceVersion":"7"},"spec":{"image":"alpine","args":["x"],"stdin":true}}"#
        let manifest = try Manifest.parse(json: Data(body.utf8))
        #expect(manifest.spec.stdin && manifest.resourceVersion == Revision(7))
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
