/// The release's version, shown by `skls version` and `docker version`.
package let sklsVersion = "0.1.0"
