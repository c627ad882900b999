import GRDB

/// Numbered steps from an empty file to the present tables. A step that was released is never edited; a change is a new step.
enum Migrations {
    static func migrator() -> DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { database in
            try database.execute(
                sql: """
                    CREATE TABLE store (
                        id INTEGER PRIMARY KEY CHECK (id = 1),
                        revision INTEGER NOT NULL,
                        compactedThrough INTEGER NOT NULL,
                        instance TEXT NOT NULL,
                        key BLOB NOT NULL
                    );
                    CREATE TABLE records (
                        uid TEXT NOT NULL PRIMARY KEY,
                        name TEXT NOT NULL,
                        isDeleted INTEGER NOT NULL,
                        createdRevision INTEGER NOT NULL,
                        revision INTEGER NOT NULL,
                        document BLOB NOT NULL
                    );
                    CREATE UNIQUE INDEX recordsByName ON records (name) WHERE NOT isDeleted;
                    CREATE INDEX recordsByRevision ON records (revision);
                    CREATE TABLE intents (
                        uid TEXT NOT NULL PRIMARY KEY REFERENCES records (uid),
                        kind TEXT NOT NULL,
                        siteName TEXT NOT NULL,
                        openedAt INTEGER NOT NULL,
                        isSettled INTEGER NOT NULL
                    );
                    CREATE TABLE attempts (
                        token TEXT NOT NULL PRIMARY KEY,
                        uid TEXT NOT NULL REFERENCES records (uid),
                        run INTEGER NOT NULL,
                        number INTEGER NOT NULL,
                        bootID TEXT NOT NULL,
                        openedAt INTEGER NOT NULL,
                        acknowledgedAt INTEGER,
                        finishedAt INTEGER,
                        outcome TEXT,
                        exitCode INTEGER,
                        message TEXT
                    );
                    CREATE UNIQUE INDEX attemptsByRecord ON attempts (uid, run, number);
                    -- At most one attempt of a record is open, whatever the program believes.
                    CREATE UNIQUE INDEX openAttempts ON attempts (uid) WHERE outcome IS NULL;
                    CREATE TABLE tombstones (
                        uid TEXT NOT NULL PRIMARY KEY,
                        siteName TEXT NOT NULL,
                        forgottenAt INTEGER NOT NULL
                    );
                    CREATE INDEX tombstonesByTime ON tombstones (forgottenAt);
                    CREATE TABLE deletions (
                        revision INTEGER NOT NULL,
                        uid TEXT NOT NULL,
                        document BLOB NOT NULL,
                        PRIMARY KEY (revision, uid)
                    );
                    CREATE TABLE images (
                        canonical TEXT NOT NULL PRIMARY KEY,
                        digest TEXT,
                        pulledAt INTEGER NOT NULL
                    );
                    """)
        }
        migrator.registerMigration("2") { database in
            // What Azure works on after it took a write: an opaque text, NULL where there is nothing to follow.
            try database.execute(sql: "ALTER TABLE intents ADD COLUMN operation TEXT")
        }
        migrator.registerMigration("3") { database in
            try database.execute(
                sql: """
                    CREATE TABLE writers (
                        writer TEXT NOT NULL PRIMARY KEY,
                        -- NULL: not a life on this store, but accepted.
                        epoch INTEGER UNIQUE
                    );
                    ALTER TABLE store ADD COLUMN freeze BLOB;
                    CREATE TABLE sightings (
                        siteName TEXT NOT NULL PRIMARY KEY,
                        document BLOB NOT NULL
                    );
                    CREATE TABLE inventories (
                        name TEXT NOT NULL,
                        uid TEXT NOT NULL REFERENCES records (uid),
                        PRIMARY KEY (name, uid)
                    );
                    CREATE INDEX inventoriesByRecord ON inventories (uid);
                    CREATE TABLE journal (
                        id INTEGER PRIMARY KEY,
                        uid TEXT NOT NULL,
                        document BLOB NOT NULL
                    );
                    CREATE INDEX journalByRecord ON journal (uid, id);
                    """)
        }
        migrator.registerMigration("4") { database in
            try database.execute(
                sql: """
                    CREATE TABLE engineEvents (
                        number INTEGER PRIMARY KEY,
                        at INTEGER NOT NULL,
                        document BLOB NOT NULL
                    );
                    -- The store's revision when the next life began; before that the largest number there is.
                    ALTER TABLE writers ADD COLUMN lastRevision INTEGER NOT NULL DEFAULT 9223372036854775807;
                    -- The canonical reference that a name was given to; NULL: it is its own.
                    ALTER TABLE images ADD COLUMN source TEXT;
                    """)
        }
        migrator.registerMigration("5") { database in
            try database.execute(
                sql: """
                    CREATE TABLE execs (
                        -- In order of creation.
                        number INTEGER PRIMARY KEY,
                        id TEXT NOT NULL UNIQUE,
                        uid TEXT NOT NULL REFERENCES records (uid),
                        isOpen INTEGER NOT NULL,
                        document BLOB NOT NULL
                    );
                    CREATE INDEX execsByRecord ON execs (uid, number);
                    CREATE INDEX openExecs ON execs (number) WHERE isOpen;
                    """)
        }
        migrator.registerMigration("6") { database in
            try database.execute(
                sql: """
                    CREATE TABLE volumes (
                        name TEXT NOT NULL PRIMARY KEY,
                        document BLOB NOT NULL
                    );
                    CREATE TABLE volumeUses (
                        volume TEXT NOT NULL,
                        uid TEXT NOT NULL REFERENCES records (uid),
                        PRIMARY KEY (volume, uid)
                    );
                    CREATE INDEX volumeUsesByRecord ON volumeUses (uid);
                    """)
        }
        return migrator
    }
}
