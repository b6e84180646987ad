//! Containers that share the memory and the way.

use super::*;

#[tokio::test]
async fn reading_stops_while_memory_is_full_and_goes_on() {
    let world = World::new(&["--buffer-bytes", "4MiB"], Container::named("web")).await;
    let away = Arc::new(AtomicUsize::new(1));
    let is_away = away.clone();
    world.shipping.service.rule(move |_, _| {
        (is_away.load(Ordering::Relaxed) == 1)
            .then(|| RequestError::from(RequestErrorKind::NoResponse))
    });
    let filling = "x".repeat(1000);
    for part in 0..20 {
        let text: String = (part * 1000..part * 1000 + 1000)
            .map(|number| format!("{number} {filling}\n"))
            .collect();
        world.web.stdout(text);
    }
    world.web.exit(0);
    let full = async {
        while world.shipping.budget.held() < (4 << 20) - 2000 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        away.store(0, Ordering::Relaxed);
    };
    tokio::join!(world.ship(), full);
    let messages = world.messages();
    assert_eq!(messages.len(), 20_000);
    assert!(
        messages
            .iter()
            .enumerate()
            .all(|(number, message)| message.starts_with(&format!("{number} ")))
    );
    assert!(world.shipping.budget.most() <= 4 << 20);
    assert_eq!(world.shipping.budget.held(), 0);
}

#[tokio::test]
async fn containers_that_share_a_stream_send_one_request_at_a_time() {
    let world = World::new(&[], Container::named("web")).await;
    let follow_one = async |name: &str| {
        let followed = Followed::default();
        world.ship_from(name, Begin::default(), &followed).await;
    };
    let names = ["a", "b", "c"];
    for name in names {
        let container = world.engine.add(Container::named(name).running());
        container.stdout(format!("{name}\n").repeat(25_000));
        container.exit(0);
    }
    tokio::join!(follow_one("a"), follow_one("b"), follow_one("c"));
    assert_eq!(world.messages().len(), 75_000);
    assert_eq!(world.shipping.service.most_at_once(), 1);
}

#[tokio::test]
async fn many_containers_do_not_make_each_slow() {
    let mut world = World::new(&[], Container::named("web")).await;
    let shipping = Arc::get_mut(&mut world.shipping).unwrap();
    shipping.flush_interval = Duration::from_secs(60);
    let share = || budget::Share::new(&world.shipping.budget);
    let _others: Vec<_> = (0..99).map(|_| share()).collect();
    let line = format!("{}\n", "x".repeat(100));
    world.web.stdout(line.repeat(3000));
    world.web.exit(0);
    world.ship().await;
    assert_eq!(world.messages().len(), 3000);
}
