//! A cluster of three servers.

use crate::setup::{Peer, Run, Server, assert_exact, builder, free_port, on_one_server};

/// Three servers that have a leader.
async fn cluster(of: &Server) -> Vec<Server> {
    let ports = [free_port(), free_port(), free_port()];
    let routes = ports.map(|port| format!("\"nats://127.0.0.1:{port}\"")).join(", ");
    let config = |at: usize| {
        format!("server_name: s{at}\ncluster {{ name: c, listen: \"127.0.0.1:{}\", routes: [{routes}] }}\n", ports[at])
    };
    let mut servers: Vec<Server> = (0..3).map(|at| of.another(&config(at))).collect();
    for server in &mut servers {
        server.launch();
    }
    for server in &mut servers {
        server.is_ready().await;
    }
    for server in &servers {
        server.log().wait_for("JetStream cluster new metadata leader").await;
    }
    servers
}

/// The run has its messages on three servers, one of which is killed: the leader of the jobs, or another.
fn with_a_loss(of_leader: bool) {
    on_one_server(|server| async move {
        let mut servers = cluster(&server).await;
        let urls = servers.iter().map(Server::url).collect::<Vec<_>>().join(",");
        let client = async_nats::connect(servers[0].url()).await.unwrap();
        let streams = async_nats::jetstream::new(client);
        let nats = builder(&urls).replicas(3).connect().await.unwrap();
        let mut run = Run::over(&nats, 2_000, "");
        let node = Peer::ready_node(&urls, &[("replicas", "3"), ("pace", "200")]).await;
        run.take(100).await;
        let jobs = streams.get_stream("FAN2_JOBS").await.unwrap();
        let leader = jobs.cached_info().cluster.as_ref().and_then(|cluster| cluster.leader.clone()).unwrap();
        let leader: usize = leader.trim_start_matches('s').parse().unwrap();
        let killed = if of_leader { leader } else { (leader + 1) % 3 };
        servers[killed].kill();
        assert_exact(&run.end().await, 2_000);
        drop(node);
    });
}

#[test]
#[ignore = "long: the servers elect leaders, twice"]
fn a_cluster_goes_on_without_one_of_its_servers() {
    with_a_loss(false);
}

#[test]
#[ignore = "long: the servers elect leaders, twice"]
fn a_cluster_goes_on_without_the_leader_of_the_jobs() {
    with_a_loss(true);
}
