import DesiredState
import Testing

struct SelectorTests {
    private let labels = ["app": "web", "tier": "front", "empty": ""]

    @Test(arguments: [
        ("", true), ("app=web", true), ("app==web", true), ("app = web , tier != back", true), ("app=db", false),
        ("app!=db", true), ("missing!=x", true), ("app in (web, db)", true), ("app in(db)", false),
        ("missing in (x)", false), ("app notin (db,x)", true), ("missing notin (x)", true), ("app notin (web)", false),
        ("app", true), ("missing", false), ("!missing", true), ("! app", false), ("empty=", true), ("app=", false),
        ("empty in ()", true), ("app in (web),tier notin (back),!missing,tier", true), ("inner=x,in", false),
    ])
    func `a label selector means what kubectl's does`(text: String, expected: Bool) throws {
        #expect(try LabelSelector(parsing: text).matches(labels) == expected)
    }

    @Test(arguments: [
        ("a=b,", "label selector \"a=b,\": the name of a label should stand before its end"),
        ("=b", "label selector \"=b\": the name of a label should stand before \"=b\""),
        ("a b", "label selector \"a b\": =, ==, !=, in (…) or notin (…) should stand before \"b\""),
        ("a in b", "label selector \"a in b\": ( should stand before \"b\""),
        ("a in (b", "label selector \"a in (b\": a comma or ) should stand before its end"),
        ("a=b c=d", "label selector \"a=b c=d\": a comma should stand before \"c=d\""),
    ])
    func `a faulty label selector says where`(text: String, expected: String) {
        let fault = #expect(throws: SelectorFault.self) { try LabelSelector(parsing: text) }
        #expect(fault?.description == expected)
    }

    @Test func `fields and conditions select`() throws {
        var record = try FunctionApp.sample("web")
        record.status.conditions = [
            Condition(
                type: .ready, status: .true, reason: "R", message: "", lastTransitionTime: Instant(nanoseconds: 0))
        ]
        for (text, expected) in [
            ("", true), ("metadata.name=web", true), ("metadata.name!=web", false), ("Ready=True", true),
            ("Ready==False", false), ("Failed=Unknown", true), ("Failed!=True, Ready = True", true),
            ("metadata.uid=\(record.uid)", true), ("spec.image=\(record.spec.image)", true),
            ("status.site.name=", true),
        ] {
            #expect(try FieldSelector(parsing: text).matches(record) == expected, "\(text)")
        }
    }

    @Test(arguments: [
        (
            "metdata.name=a",
            "field selector \"metdata.name=a\": no field \"metdata.name\"; did you mean metadata.name? allowed: metadata.name, metadata.uid, spec.image, status.site.name, Provisioned, Ready, Running, Succeeded, Failed, Drifted, Stalled"
        ),
        ("Ready=yes", "field selector \"Ready=yes\": Ready is True, False or Unknown, never \"yes\""),
        ("Ready", "field selector \"Ready\": \"Ready\" has no = or !="),
    ])
    func `a faulty field selector says what is allowed`(text: String, expected: String) {
        let fault = #expect(throws: SelectorFault.self) { try FieldSelector(parsing: text) }
        #expect(fault?.description == expected)
    }
}
