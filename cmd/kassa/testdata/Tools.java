import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.util.Arrays;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's own command line tools again and again in one JVM. A line in is a class and its arguments; what it printed comes out,
 * then a line that begins with EOT and has its exit code.
 */
public class Tools {
    /** Stands for the end of the process. A tool may catch it, print it and ask for another exit: the first one counts. */
    static final class Exited extends Error {
        Exited() {
            super("", null, false, false);
        }
    }

    private static Integer code;

    private static void exit(int asked, String message) {
        if (code == null) {
            code = asked;
        }
        throw new Exited();
    }

    public static void main(String[] none) throws Exception {
        PrintStream out = System.out;
        Exit.setExitProcedure(Tools::exit);
        Exit.setHaltProcedure(Tools::exit);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ");
            ByteArrayOutputStream said = new ByteArrayOutputStream();
            System.setOut(new PrintStream(said, true));
            System.setErr(System.out);
            code = null;
            try {
                Class.forName(words[0]).getMethod("main", String[].class)
                        .invoke(null, (Object) Arrays.copyOfRange(words, 1, words.length));
            } catch (java.lang.reflect.InvocationTargetException e) {
                if (code == null) {
                    code = 1;
                    System.out.println(e.getCause());
                }
            }
            out.print(said);
            out.println("\u0004" + (code == null ? 0 : code));
            out.flush();
        }
    }
}
