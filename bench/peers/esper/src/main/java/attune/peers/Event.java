package attune.peers;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** An event of the shop, as the statements name its properties. */
public final class Event {
  private final long time;
  private final String user;
  private final String name;
  private final double price;
  private final String productId;
  private final String category;

  private Event(String[] cells) {
    time = Long.parseLong(cells[0]);
    user = cells[1];
    name = cells[2].intern();
    price = cells[3].isEmpty() ? 0 : Double.parseDouble(cells[3]);
    productId = cells[4].intern();
    category = cells[5].intern();
  }

  /** Reads `time,user,name,price,product_id,category`, as bench/peers/csv writes it. */
  public static List<Event> read(Path csv) throws IOException {
    List<Event> events = new ArrayList<>();
    try (BufferedReader in = Files.newBufferedReader(csv)) {
      for (String line = in.readLine(); line != null; line = in.readLine()) events.add(new Event(line.split(",", -1)));
    }
    return events;
  }

  public long getTime() { return time; }
  public String getUser() { return user; }
  public String getName() { return name; }
  public double getPrice() { return price; }
  public String getProductId() { return productId; }
  public String getCategory() { return category; }
}
