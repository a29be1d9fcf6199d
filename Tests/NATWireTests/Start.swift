import Testing

@Test func start() {}
