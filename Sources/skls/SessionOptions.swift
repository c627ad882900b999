import ArgumentParser

struct SessionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Sessions with containers, for docker exec, cp and attach: off, forward (the daemon dials the sites) or "
                + "reverse (the containers call the daemon). Default: $SKLS_SESSIONS, else reverse where there is a "
                + "callback's URL, else forward.", valueName: "mode"))
    var sessions: String?

    @Option(
        help: ArgumentHelp(
            "Where containers call the daemon. Default: $SOCKERLESS_CALLBACK_URL.", valueName: "url"))
    var callbackUrl: String?

    @Option(
        help: ArgumentHelp(
            "Where to listen for these calls. Default: $SKLS_CALLBACK_ADDR, else the URL's own where that is on this "
                + "machine.", valueName: "host:port"))
    var callbackAddr: String?

    @Option(
        help: ArgumentHelp(
            "Certificate chain (PEM) of that listener. Default: $SKLS_CALLBACK_CERT, else it speaks plain HTTP.",
            valueName: "path"))
    var callbackCert: String?

    @Option(help: ArgumentHelp("Its key (PEM). Default: $SKLS_CALLBACK_KEY.", valueName: "path"))
    var callbackKey: String?

    @Option(
        help: ArgumentHelp(
            "Certificates (PEM) that containers are told to trust there. Default: $SKLS_CALLBACK_CA.",
            valueName: "path"))
    var callbackCa: String?

    /// By the settings' keys in files.
    var typed: [(setting: String, flag: String, value: String?)] {
        [
            ("sessions.mode", "--sessions", sessions), ("sessions.callback_url", "--callback-url", callbackUrl),
            ("sessions.callback_addr", "--callback-addr", callbackAddr),
            ("sessions.callback_cert", "--callback-cert", callbackCert),
            ("sessions.callback_key", "--callback-key", callbackKey),
            ("sessions.callback_ca", "--callback-ca", callbackCa),
        ]
    }
}
