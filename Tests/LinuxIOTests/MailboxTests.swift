import LinuxIO
import Testing

/// What threads hand to each other; `make sanitize` runs this under ThreadSanitizer.
@Suite struct MailboxTests {
    @Test func `every value that threads post arrives once, in the order of its thread`() throws {
        let wakeup = try Wakeup()
        let mailbox = Mailbox<(sender: Int, number: Int)>(wakeup)
        let senders = 4
        let each = 1000
        for sender in 0..<senders {
            startEdgeThread { for number in 0..<each { mailbox.post((sender, number)) } }
        }
        var next = [Int](repeating: 0, count: senders)
        var received = 0
        while received < senders * each {
            try #require(waitReadable(wakeup.fd, milliseconds: 20_000), "\(received) of \(senders * each) values came")
            wakeup.clear()
            for value in mailbox.takeAll() {
                #expect(value.number == next[value.sender])
                next[value.sender] += 1
                received += 1
            }
        }
        #expect(mailbox.takeAll().isEmpty)
    }

    @Test func `threads that ask are answered by the thread that reads the mailbox`() throws {
        let wakeup = try Wakeup()
        let mailbox = Mailbox<(question: Int, answer: Promise<Int>)>(wakeup)
        let answered = Mailbox<Int?>(try Wakeup())
        let askers = 8
        for asker in 0..<askers {
            startEdgeThread {
                let promise = Promise<Int>()
                mailbox.post((asker, promise))
                answered.post(promise.wait(milliseconds: 20_000).map { $0 - asker * asker })
            }
        }
        var answers = 0
        while answers < askers {
            try #require(waitReadable(wakeup.fd, milliseconds: 20_000))
            wakeup.clear()
            for (question, promise) in mailbox.takeAll() {
                promise.fulfil(question * question)
                answers += 1
            }
        }
        var results: [Int?] = []
        while results.count < askers {
            results += answered.takeAll()
            if results.count < askers { pauseThread(milliseconds: 1) }
        }
        #expect(results.allSatisfy { $0 == 0 })
    }

    @Test func `who waits for a promise that nobody keeps waits no longer than was said`() {
        #expect(Promise<Int>().wait(milliseconds: 20) == nil)
    }
}
