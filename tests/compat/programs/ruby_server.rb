# Threads, a mutex and a fiber; answers as answers.py does.
require 'securerandom'
require 'socket'

token = SecureRandom.hex(8)
ticks = 0
lock = Mutex.new
numbers = Fiber.new { n = 0; loop { Fiber.yield(n += 1) } }
4.times { Thread.new { loop { sleep 0.01; lock.synchronize { ticks += 1 } } } }
last = 0
server = TCPServer.new('0.0.0.0', 9000)
requests = Queue.new
Thread.new do
  loop do
    client = server.accept
    Thread.new { client.each_line { requests << client } }
  end
end
loop do
  client = requests.pop
  following = numbers.resume
  state = following == last + 1 ? 'ok' : 'the fiber lost count'
  last = following
  begin
    client.write("#{token} #{lock.synchronize { ticks } + following} #{state}\n")
  rescue SystemCallError
    client.close
  end
end
