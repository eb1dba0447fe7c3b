//! A cluster of three servers, which keep each message three times.

use async_nats::jetstream;

use crate::setup::{Peer, Run, Server, assert_exact, builder, free_port, on_each_server, on_one_server};

/// Three servers that have been started, and have elected no leader yet.
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
    for server in &servers {
        server.is_ready().await;
    }
    servers
}

fn urls(servers: &[Server]) -> String {
    servers.iter().map(Server::url).collect::<Vec<_>>().join(",")
}

async fn node(servers: &[Server]) -> Peer {
    Peer::ready_node(&urls(servers), &[("replicas", "3"), ("pace", "200")]).await
}

async fn start(servers: &[Server], items: u64) -> Run {
    Run::over(&builder(&urls(servers)).replicas(3).connect().await.unwrap(), items, "")
}

/// Which of the servers leads the stream of the jobs.
async fn leader_of_jobs(servers: &[Server]) -> usize {
    let streams = jetstream::new(async_nats::connect(servers[0].url()).await.unwrap());
    let jobs = streams.get_stream("FAN2_JOBS").await.unwrap();
    let leader = jobs.cached_info().cluster.as_ref().and_then(|cluster| cluster.leader.clone()).unwrap();
    leader.trim_start_matches('s').parse().unwrap()
}

#[test]
fn a_run_and_a_node_that_begin_before_a_cluster_has_a_leader_wait_for_it() {
    on_each_server(|server| async move {
        let servers = cluster(&server).await;
        let run = start(&servers, 200).await;
        let node = node(&servers).await;
        assert_exact(&run.end().await, 200);
        drop(node);
    });
}

/// The run has its messages on three servers, one of which is killed: the leader of the jobs, or another.
fn with_a_loss(of_leader: bool) {
    on_one_server(|server| async move {
        let mut servers = cluster(&server).await;
        let mut run = start(&servers, 4_000).await;
        let node = node(&servers).await;
        run.take(100).await;
        let leader = leader_of_jobs(&servers).await;
        let killed = if of_leader { leader } else { (leader + 1) % 3 };
        servers[killed].kill();
        assert_exact(&run.end().await, 4_000);
        drop(node);
    });
}

#[test]
fn a_cluster_goes_on_without_one_of_its_servers() {
    with_a_loss(false);
}

#[test]
fn a_cluster_goes_on_without_the_leader_of_the_jobs() {
    with_a_loss(true);
}
