package attune.peers;

import com.espertech.esper.common.client.EPCompiled;
import com.espertech.esper.common.client.configuration.Configuration;
import com.espertech.esper.compiler.client.CompilerArguments;
import com.espertech.esper.compiler.client.EPCompilerProvider;
import com.espertech.esper.runtime.client.EPDeployment;
import com.espertech.esper.runtime.client.EPEventService;
import com.espertech.esper.runtime.client.EPRuntime;
import com.espertech.esper.runtime.client.EPRuntimeProvider;
import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Runs statements over events with the events' own clock, for so many seconds at most: EVENTS.csv STATEMENTS.tsv SECONDS. Events are in
 * memory before the time is taken; a thread sends them one by one. Prints a line of JSON.
 */
public final class EsperRun {
  /** A count over a window, of which the outputs are counted a second time by hand. */
  private static final Pattern COUNT = Pattern.compile(
      "select user from Event\\(name = '(\\w+)'\\)#time\\((\\d+) sec\\) group by user having count\\(\\*\\) >= (\\d+)");

  public static void main(String[] args) throws Exception {
    List<Event> events = Event.read(Path.of(args[0]));
    List<String> statements = Files.readAllLines(Path.of(args[1])).stream().filter(line -> line.contains("\t")).toList();
    long limit = Long.parseLong(args[2]) * 1_000_000_000L;

    Configuration configuration = new Configuration();
    configuration.getCommon().addEventType("Event", Event.class);
    configuration.getRuntime().getThreading().setInternalTimerEnabled(false);
    EPRuntime runtime = EPRuntimeProvider.getRuntime("peers", configuration);
    EPEventService service = runtime.getEventService();
    service.advanceTime(events.get(0).getTime() - 1);
    long[] outputs = new long[statements.size()];
    CompilerArguments arguments = new CompilerArguments(configuration);
    for (int i = 0; i < outputs.length; i++) {
      String[] cells = statements.get(i).split("\t");
      EPCompiled compiled = EPCompilerProvider.getCompiler().compile("@name('" + cells[0] + "') " + cells[1], arguments);
      EPDeployment deployment = runtime.getDeploymentService().deploy(compiled);
      int number = i;
      deployment.getStatements()[0].addListener((fresh, old, statement, from) -> outputs[number] += fresh == null ? 0 : fresh.length);
    }

    OperatingSystemMXBean process = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    long processorBefore = process.getProcessCpuTime();
    long began = System.nanoTime();
    int sent = 0;
    while (sent < events.size() && System.nanoTime() - began < limit) {
      Event event = events.get(sent++);
      service.advanceTime(event.getTime());
      service.sendEventBean(event, "Event");
    }
    double wall = (System.nanoTime() - began) / 1e9;
    double processor = (process.getProcessCpuTime() - processorBefore) / 1e9;
    System.gc();
    Runtime memory = Runtime.getRuntime();
    long total = 0, wrong = 0, checked = 0;
    for (int i = 0; i < outputs.length; i++) {
      total += outputs[i];
      Matcher count = COUNT.matcher(statements.get(i).split("\t")[1]);
      if (!count.matches()) continue;
      checked++;
      long byHand = countByHand(events.subList(0, sent), count.group(1), Long.parseLong(count.group(2)) * 1000, Integer.parseInt(count.group(3)));
      if (byHand != outputs[i]) {
        wrong++;
        System.err.println(statements.get(i) + ": " + outputs[i] + " outputs, by hand " + byHand);
      }
    }
    System.out.printf("{\"statements\":%d,\"events\":%d,\"of\":%d,\"wall\":%.3f,\"processor\":%.3f,\"outputs\":%d,\"checked\":%d,\"wrong\":%d,"
        + "\"bytes\":%d}%n", outputs.length, sent, events.size(), wall, processor, total, checked, wrong, memory.totalMemory() - memory.freeMemory());
    System.exit(wrong == 0 ? 0 : 1);
  }

  /**
   * How many rows a count gives: one for its user when an event comes, and one for each user of whom events go out as the clock moves on, while
   * there are enough.
   */
  private static long countByHand(List<Event> events, String name, long windowMs, int least) {
    Map<String, Integer> counts = new HashMap<>();
    ArrayDeque<Event> in = new ArrayDeque<>();
    Set<String> left = new HashSet<>();
    long found = 0;
    for (Event event : events) {
      left.clear();
      while (!in.isEmpty() && in.peekFirst().getTime() <= event.getTime() - windowMs) {
        String user = in.removeFirst().getUser();
        counts.merge(user, -1, Integer::sum);
        left.add(user);
      }
      for (String user : left) {
        if (counts.get(user) >= least) found++;
      }
      if (!event.getName().equals(name)) continue;
      in.addLast(event);
      if (counts.merge(event.getUser(), 1, Integer::sum) >= least) found++;
    }
    return found;
  }
}
