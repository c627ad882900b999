/// Why a container cannot have its mounts.
struct MountRefusal: Error, Equatable, Sendable {
    /// As the mount's `state` says it: `InvalidCredentials`, `InvalidShare` or `NotValidated`.
    var state: String
    var message: String
}

// Mounts of shares into containers (Azure docs, configure-connect-to-azure-storage, and the `state` of
// `AzureStorageInfoValue` in the REST specification 2025-03-01, read 2026-11). That a container does not start without
// one of its mounts is a guess; so are the words of the log.

extension World {
    /// Every mount of the site, in the order of paths, or why one of them cannot be had.
    func mounts(of site: Site) throws(MountRefusal) -> [ContainerMount] {
        var mounts: [ContainerMount] = []
        for member in site.documents["azurestorageaccounts"]?.members ?? [] {
            mounts.append(try mount(member.value))
        }
        return mounts.sorted { $0.path < $1.path }
    }

    /// What a list of mounts says of one: `Ok` or what is wrong.
    func mountState(_ mount: JSON) -> String {
        do throws(MountRefusal) {
            _ = try self.mount(mount)
            return "Ok"
        } catch {
            return error.state
        }
    }

    private func mount(_ value: JSON) throws(MountRefusal) -> ContainerMount {
        let type = value["type"]?.string ?? "AzureFiles"
        guard type.lowercased() == "azurefiles" else {
            throw MountRefusal(state: "NotValidated", message: "mounts of \(type) are not simulated")
        }
        let name = (value["accountName"]?.string ?? "").lowercased()
        let shareName = (value["shareName"]?.string ?? "").lowercased()
        let path = value["mountPath"]?.string ?? ""
        let parts = path.split(separator: "/")
        guard path.hasPrefix("/"), !parts.isEmpty, !parts.contains(".."), !parts.contains("."),
            !path.utf8.contains(0)
        else { throw MountRefusal(state: "NotValidated", message: "nothing can be mounted on \(path)") }
        guard let account = storage.accounts[name], account.readyAt == nil,
            let key = value["accessKey"]?.string, account.keys.contains(where: { $0.value == key })
        else {
            throw MountRefusal(
                state: "InvalidCredentials", message: "the storage account \(name) does not take the access key")
        }
        guard account.shares[shareName] != nil else {
            throw MountRefusal(state: "InvalidShare", message: "the storage account \(name) has no share \(shareName)")
        }
        return ContainerMount(
            folder: ShareFolder(account: name, share: shareName), path: "/" + parts.joined(separator: "/"))
    }
}
