package attune.peers;

import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.cep.CEP;
import org.apache.flink.cep.functions.PatternProcessFunction;
import org.apache.flink.cep.pattern.Pattern;
import org.apache.flink.cep.pattern.conditions.SimpleCondition;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.util.Collector;

/**
 * Two jobs in a cluster within this process, one slot: `window` (at least five product_viewed within the hour, exact at each event) and
 * `absence` (an add_to_cart and no purchase for 30 minutes). FlinkRun EVENTS.csv window|absence. Events are in memory before the time is taken. Prints a
 * line of JSON.
 */
public final class FlinkRun {
  private static final long HOUR = 3_600_000;
  private static final long ABSENCE = HOUR / 2;
  private static final int LEAST = 5;

  /** What the jobs read of an event. */
  public static final class Event {
    public long time;
    public String user;
    public String name;

    public Event() {}

    Event(String[] cells) {
      time = Long.parseLong(cells[0]);
      user = cells[1];
      name = cells[2].intern();
    }
  }

  private static List<Event> events = new ArrayList<>();
  private static final AtomicLong OUTPUTS = new AtomicLong();

  public static void main(String[] args) throws Exception {
    read(Path.of(args[0]));
    StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(1);
    env.getConfig().enableObjectReuse();
    DataStream<Event> stream = env.fromSequence(0, events.size() - 1).map(i -> events.get(i.intValue())).returns(Event.class)
        .assignTimestampsAndWatermarks(WatermarkStrategy.<Event>forMonotonousTimestamps().withTimestampAssigner((event, before) -> event.time));
    boolean window = args[1].equals("window");
    if (window) {
      window(env, stream);
    } else {
      absence(stream);
    }

    OperatingSystemMXBean process = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    long processorBefore = process.getProcessCpuTime();
    long began = System.nanoTime();
    env.execute(args[1]);
    double wall = (System.nanoTime() - began) / 1e9;
    double processor = (process.getProcessCpuTime() - processorBefore) / 1e9;
    long byHand = window ? windowByHand() : absenceByHand();
    System.out.printf("{\"job\":\"%s\",\"events\":%d,\"wall\":%.3f,\"processor\":%.3f,\"outputs\":%d,\"by_hand\":%d}%n", args[1], events.size(), wall,
        processor, OUTPUTS.get(), byHand);
    System.exit(byHand == OUTPUTS.get() ? 0 : 1);
  }

  private static void read(Path csv) throws IOException {
    try (BufferedReader in = Files.newBufferedReader(csv)) {
      for (String line = in.readLine(); line != null; line = in.readLine()) events.add(new Event(line.split(",", -1)));
    }
  }

  private static void window(StreamExecutionEnvironment env, DataStream<Event> stream) {
    StreamTableEnvironment tables = StreamTableEnvironment.create(env);
    tables.createTemporaryView("events", stream, Schema.newBuilder().column("time", DataTypes.BIGINT()).column("user", DataTypes.STRING())
        .column("name", DataTypes.STRING()).columnByMetadata("at", DataTypes.TIMESTAMP_LTZ(3), "rowtime").watermark("at", "SOURCE_WATERMARK()").build());
    Table found = tables.sqlQuery("SELECT `user` FROM (SELECT `user`, COUNT(*) OVER (PARTITION BY `user` ORDER BY `at` "
        + "RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW) AS n FROM events WHERE name = 'product_viewed') WHERE n >= " + LEAST);
    tables.toDataStream(found).map(new Count<>()).sinkTo(new DiscardingSink<>());
  }

  private static void absence(DataStream<Event> stream) {
    Pattern<Event, ?> pattern = Pattern.<Event>begin("add").where(SimpleCondition.of(event -> event.name.equals("add_to_cart")))
        .notFollowedBy("purchase").where(SimpleCondition.of(event -> event.name.equals("purchase"))).within(Duration.ofMillis(ABSENCE));
    DataStream<Event> asked = stream.filter(event -> event.name.equals("add_to_cart") || event.name.equals("purchase")).keyBy(event -> event.user);
    CEP.pattern(asked, pattern).inEventTime().process(new PatternProcessFunction<Event, Event>() {
      @Override
      public void processMatch(Map<String, List<Event>> match, Context context, Collector<Event> out) {
        out.collect(match.get("add").get(0));
      }
    }).map(new Count<>()).sinkTo(new DiscardingSink<>());
  }

  /** Counts what comes. */
  private static final class Count<T> implements MapFunction<T, Long> {
    @Override
    public Long map(T output) {
      return OUTPUTS.incrementAndGet();
    }
  }

  /** RANGE includes an event exactly an hour old, and all events of one millisecond see each other. */
  private static long windowByHand() {
    long found = 0;
    for (Map.Entry<String, List<Long>> user : timesOf("product_viewed").entrySet()) {
      List<Long> own = user.getValue();
      int first = 0, last = 0;
      for (long time : own) {
        while (own.get(first) < time - HOUR) first++;
        while (last < own.size() && own.get(last) <= time) last++;
        if (last - first >= LEAST) found++;
      }
    }
    return found;
  }

  /** An add counts of its own: no purchase follows it within less than the time. */
  private static long absenceByHand() {
    Map<String, List<Long>> purchases = timesOf("purchase");
    long found = 0;
    for (Map.Entry<String, List<Long>> user : timesOf("add_to_cart").entrySet()) {
      List<Long> own = purchases.getOrDefault(user.getKey(), List.of());
      for (long time : user.getValue()) {
        if (own.stream().noneMatch(purchase -> purchase > time && purchase < time + ABSENCE)) found++;
      }
    }
    return found;
  }

  private static Map<String, List<Long>> timesOf(String name) {
    Map<String, List<Long>> times = new HashMap<>();
    for (Event event : events) {
      if (event.name.equals(name)) times.computeIfAbsent(event.user, user -> new ArrayList<>()).add(event.time);
    }
    return times;
  }
}
