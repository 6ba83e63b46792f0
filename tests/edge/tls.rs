//! TLS to the database: what a host trusts, and that it then speaks of nothing in the clear.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use reqwest::Method;

use crate::support::fetch;
use crate::support::{Database, Host, SERVICE_KEY, Setup, TEST_TIMEOUT};

const LISTENING: &str = "[functions.hello]\nlisten = \"work\"\nfirst_byte_s = 1\n";

/// A statement that ends when it is cancelled, and not before.
const ENDLESS: &str = "
    create function public.endless(jsonb) returns jsonb language sql as $$ select '{}'::jsonb from pg_sleep(3600) $$;
    grant usage on schema public to service_role;
    do $$ begin
        execute format('alter role authenticator in database %I set statement_timeout = 0', current_database());
    end $$;";

/// Somebody who signs servers' certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// Lets the cluster speak TLS, under that name. Whoever asks for none is served as before.
    async fn certify(&self, database: &Database, name: &str) {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        for (file, text) in [("server.crt", certificate.pem()), ("server.key", key.serialize_pem())] {
            let lines = format!("select string_to_table('{}', E'\\n')", text.replace('\r', ""));
            database.run(&format!("copy ({lines}) to program 'umask 077; cat > {file}'")).await;
        }
        database.run("alter system set ssl = on").await;
        database.run("select pg_reload_conf()").await;
    }
}

/// How many connections of hosts to this database are encrypted, and how many are not.
async fn connections(database: &Database) -> (i64, i64) {
    let sql = "select count(*) filter (where s.ssl), count(*) filter (where not s.ssl)
               from pg_stat_ssl s join pg_stat_activity a using (pid)
               where a.datname = current_database() and a.usename = 'authenticator'";
    let row = database.admin().await.query_one(sql, &[]).await.unwrap();
    (row.get(0), row.get(1))
}

/// How many statements of hosts are at work in this database.
async fn at_work(database: &Database) -> i64 {
    let sql = "select count(*) from pg_stat_activity
               where datname = current_database() and usename = 'authenticator' and state = 'active'";
    database.admin().await.query_one(sql, &[]).await.unwrap().get(0)
}

async fn is_ready(host: &Host) -> bool {
    host.request(Method::GET, "/readyz").send().await.unwrap().status().is_success()
}

/// A host that reaches the database under `name` and trusts `authority`.
fn host(database: &Database, name: &str, authority: &Authority) -> Setup {
    let setup = Setup::new(LISTENING);
    let file = setup.component("authority").with_extension("pem");
    fs::write(&file, &authority.certificate).unwrap();
    let url = database.url("authenticator").replace("127.0.0.1", name);
    setup.variable("SUPABASE_DB_URL", &format!("{url}?sslmode=verify-full&sslrootcert={}", file.display()))
}

// One test: the cluster has one certificate at a time.
#[tokio::test]
async fn a_database_has_to_prove_its_name_and_is_then_spoken_to_over_tls_alone() {
    let database = Database::with(ENDLESS).await;
    let (trusted, other) = (Authority::new(), Authority::new());
    trusted.certify(&database, "127.0.0.1").await;

    let host_on_tls = host(&database, "127.0.0.1", &trusted).start();
    let served = tokio::time::timeout(TEST_TIMEOUT, async {
        // The cluster takes its certificate a moment after it is told to.
        while !is_ready(&host_on_tls).await || connections(&database).await.0 < 2 {
            tokio::task::yield_now().await;
        }
    });
    served.await.expect("the pool and the listener are connected");
    // A statement that its caller has given up is cancelled, over a connection of its own.
    let url = "http://project.test/rest/v1/rpc/endless";
    let (given_up, begun) = tokio::join!(fetch(&host_on_tls, "hello", url, Some(SERVICE_KEY)), async {
        while at_work(&database).await == 0 {
            tokio::task::yield_now().await;
        }
    });
    assert_eq!((given_up.0, begun), (504, ()));
    let cancelled = tokio::time::timeout(TEST_TIMEOUT, async {
        while at_work(&database).await > 0 {
            tokio::task::yield_now().await;
        }
    });
    cancelled.await.expect("the statement is cancelled");
    assert_eq!(connections(&database).await.1, 0);
    let (_, _, notes) = host_on_tls.setup.queue(&["list"]);
    assert!(
        notes.contains("apply the migrations"),
        "the operator's way is connected, to an empty database: {notes}"
    );
    drop(host_on_tls);

    for (name, authority, why) in
        [("127.0.0.1", &other, "BadSignature"), ("localhost", &trusted, "not valid for name")]
    {
        let (_, _, notes) = host(&database, name, authority).queue(&["list"]);
        assert!(notes.contains("can't connect to the database") && notes.contains(why), "{notes}");
        let refusing = host(&database, name, authority).start();
        refusing.logged(|line| line.contains("notifications is lost") && line.contains(why));
        assert!(!is_ready(&refusing).await, "{why}");
    }
    assert_eq!(connections(&database).await, (0, 0));
}
