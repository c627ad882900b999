/// A write that Azure took and is still working on: what has to be known to follow it to its end, also after a restart.
///
/// A plain value: encode it, store it, decode it and go on with ``AzureClient/poll(_:correlationID:)``. The rules are
/// those of azure-resource-manager-rpc v1.0 ("Asynchronous Operations") and of the SDKs that follow it
/// (azcore/runtime/poller, go-azure-sdk/sdk/client/resourcemanager/poller; read 2026-02).
package struct LongRunningOperation: Sendable, Hashable, Codable {
    /// The verb of the write. It decides where the result is found and what the end looks like.
    package enum Kind: String, Sendable, Hashable, Codable {
        case put
        case patch
        case post
        case delete
    }

    /// Where the result is once Azure says that the operation succeeded (`final-state-via` in Azure's specifications).
    package enum FinalState: String, Sendable, Hashable, Codable {
        /// Read from the resource; for PUT and PATCH.
        case resource
        /// Read from the `Location` of the first answer, where there is one; for POST.
        case location
        /// The last answer about the operation is the result.
        case operation
        /// There is none; for DELETE.
        case nothing
    }

    /// What is asked next.
    enum Stage: Hashable, Codable {
        /// An operation's status: `{"status","error"}`.
        case status(OperationLink)
        /// 202 while it runs, afterwards the final answer itself.
        case location(OperationLink)
        /// The resource: its provisioning state, or for a deletion whether it is there.
        case resource
        /// The result of an operation that has succeeded.
        case final(OperationLink)
    }

    package let kind: Kind
    /// The call that began it; names it in errors and logs.
    package let operation: AzureOperation
    /// What the call was about, for errors and logs.
    package let resource: String
    let resourceLink: OperationLink
    let finalState: FinalState
    var stage: Stage
    /// The first answer's `Location`, for ``FinalState/location``.
    var location: OperationLink?
    /// Whether the end is told by the operation itself. False once its status could not be read and the resource is
    /// read in its place, which may show what was there before.
    package internal(set) var isConfirmed = true
    /// Answers in a row that could not be read.
    var failures = 0
    /// Since when there was nothing where the answer should be, in seconds since 1970.
    var absentSince: Int64?

    /// Azure has said that it succeeded; only its result is left to be read, which is the resource as anybody can read it.
    package var hasSucceeded: Bool {
        guard case .final = stage else { return false }
        return true
    }

    /// What is asked next.
    var nextLink: OperationLink {
        switch stage {
        case .status(let link), .location(let link), .final(let link): link
        case .resource: resourceLink
        }
    }
}

/// The end of an operation that succeeded.
package struct OperationResult: Sendable {
    /// The answer that holds the result, or the last one where there is no result.
    let reply: AzureReply?
    /// See ``LongRunningOperation/isConfirmed``.
    package let isConfirmed: Bool
}

extension LongRunningOperation {
    /// Where an operation stands after one answer.
    package struct Step: Sendable {
        /// To be stored and polled again, unless it has ended.
        package let operation: LongRunningOperation
        package let next: Next
    }

    /// What to do about an operation.
    package enum Next: Sendable {
        /// Still running: poll not before this time has passed. Zero where only the result is left to be read.
        case pollAfter(Duration)
        case done(OperationResult)
        /// Azure ended it without success, or (with `effectIsUnknown`) its end cannot be found out.
        case failed(AzureError)
    }
}

extension AzureOperation: Codable {}
